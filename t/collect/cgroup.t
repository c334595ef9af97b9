#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# The limits of the control group: the lowest of the group and of all above
# it, shown only where there is one.  nginx runs in a mount namespace of its
# own, where /sys/fs/cgroup is a folder of this test.

use NgxMon;

use File::Path qw/ make_path /;
use JSON::PP qw/ decode_json /;

sub slurp {
	my ($file) = @_;

	open my $fh, '<', $file or return '';
	local $/;

	return readline $fh;
}


my ($path) = slurp('/proc/self/cgroup') =~ m{^0::(/.*)}m;
my ($mount) = slurp('/proc/mounts') =~ m{^\S+ (\S+) cgroup2 }m;

plan(skip_all => 'valgrind does not execute mount') if $ENV{VALGRIND};

plan(skip_all => 'no control group of version 2')
	unless defined $path && $path !~ m{^/\.\.};

my $t = NgxMon->new();
my $dir = $t->dir();
my $nginx = NgxMon::binary();

$t->command('unshare', '-m', 'mount', '--bind', $dir, '/sys/fs/cgroup');
plan(skip_all => 'no mount namespaces') if $?;

# a real group below the one that the test is in, if that can be made

my $join = '';
my $below = ($path eq '/' ? '' : $path) . "/ngx_mon-$$";
my $group = ($mount // '') . $below;

if (defined $mount && mkdir $group) {
	$t->command('sh', '-c', "echo \$\$ > $group/cgroup.procs");

	if ($? == 0) {
		$join = "echo \$\$ > $group/cgroup.procs;";
		$path = $below;
	}
}

END { rmdir $group if defined $group && -d $group; }

$t->write_file('nginx.sh', <<"EOF");
#!/bin/sh
$join
exec unshare -m sh -c \\
'mount --bind $dir/cgroup /sys/fs/cgroup && exec $nginx "\$@"' nginx "\$@"
EOF

chmod 0755, "$dir/nginx.sh";
$ENV{TEST_NGINX_BINARY} = "$dir/nginx.sh";

$t->conf(<<'EOC');
mon_zone mon 4m;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /metrics { mon_metrics; }
    location = /health { mon_health; }
}
EOC

# what that group, or the root, is told to have

my $own = 'cgroup' . ($path eq '/' ? '' : $path);

make_path("$dir/$own");

sub limits {
	my ($where, %files) = @_;

	$t->write_file("$where/$_", "$files{$_}\n") for keys %files;
}

limits($own, 'memory.max' => 'max', 'memory.current' => 1000000,
       'memory.stat' => "anon 7\ninactive_file 400000\nactive_file 9",
       'cpu.max' => 'max 100000');

$t->run();

ok(wait_for(sub { defined $t->metric('nginx_host_load1') }, 5, 'a sample'),
   'sampled');

my $m = $t->metrics();

is($m->get("nginx_host_cgroup_$_"), undef, "no $_")
	for qw/ memory_limit_bytes memory_used_bytes cpu_limit_cores /;

limits($own, 'memory.max' => 2000000, 'cpu.max' => '150000 100000');

ok(wait_for(sub {
	$m = $t->metrics();
	return ($m->get('nginx_host_cgroup_memory_limit_bytes') // 0)
		== 2000000;
}, 20, 'limits'), 'a limit of memory');

is($m->get('nginx_host_cgroup_memory_used_bytes'), 600000,
   'used, without what can be dropped at once');
is($m->get('nginx_host_cgroup_cpu_limit_cores'), 1.5, 'a limit of CPUs');

# above: only the root of all, which in a namespace has limits as well

SKIP: {
	skip('no group above', 3) if $own eq 'cgroup';

	limits('cgroup', 'memory.max' => 1500000, 'memory.current' => 700000,
	       'cpu.max' => '50000 100000');

	ok(wait_for(sub {
		$m = $t->metrics();
		return $m->get('nginx_host_cgroup_memory_limit_bytes')
			== 1500000;
	}, 20, 'limits above'), 'a lower limit above');

	is($m->get('nginx_host_cgroup_memory_used_bytes'), 700000,
	   'used of that');
	is($m->get('nginx_host_cgroup_cpu_limit_cores'), 0.5, 'CPUs above');
}

# health knows

sub memory {
	return decode_json($t->get('/health')->{body})->{checks}{memory};
}

ok(wait_for(sub {
	limits($own, 'memory.max' => 1000000, 'memory.current' => 930000,
	       'memory.stat' => 'inactive_file 0');

	return memory()->{status} eq 'degraded';
}, 20, 'degraded'), 'less than 10% left');

like(memory()->{message}, qr/^7% .*control group/, 'the message says so');

ok(wait_for(sub {
	limits($own, 'memory.current' => 990000);

	return memory()->{status} eq 'unhealthy';
}, 20, 'unhealthy'), 'less than 3% left');

is($t->get('/health')->{status}, 503, 'unhealthy');

limits($own, 'memory.max' => 'max', 'cpu.max' => 'max 100000');
limits('cgroup', 'memory.max' => 'max', 'cpu.max' => 'max 100000');

ok(wait_for(sub {
	!defined $t->metric('nginx_host_cgroup_memory_limit_bytes')
}, 20, 'no limit'), 'a limit that is lifted is not shown');

is(memory()->{status}, 'healthy', 'healthy again');

$t->stop();

done_testing();
