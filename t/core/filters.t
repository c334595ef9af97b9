#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# A reload that comes to nothing after nginx has begun its chains of filters
# anew: workers that start later have all filters of the configuration in force,
# nginx's and ours.

use NgxMon;

my $t = NgxMon->new();

my $conf = <<'EOC';
mon_zone mon 4m;

server {
    listen 127.0.0.1:%%PORT_8080%%;
    root html;

    location = /metrics { mon_metrics; }
    location / { }
}
EOC

$t->write_file('html/file', 'x' x 1000);
$t->conf($conf);

my $good = $t->read_file('nginx.conf');

$t->run();

my $modified = $t->get('/file')->{headers}{'last-modified'};
my $sent = $t->metric('nginx_http_time_to_first_byte_seconds_count',
		      location => '/');

sub serves {
	my ($what) = @_;

	my $r = $t->get('/file', headers => ['If-Modified-Since', $modified]);

	is($r->{status}, 304, "$what: a filter of nginx that comes late");

	$r = $t->get('/file', headers => [Range => 'bytes=0-9']);
	is($r->{body}, 'x' x 10, "$what: one that comes early");

	$sent += 2;
	ok($t->wait_metric($sent, 'nginx_http_time_to_first_byte_seconds_count',
			   location => '/'), "$what: one of ours");
}

sub fails {
	my ($what, $bad, $log) = @_;

	$t->expect($log);
	my $n = $t->log_lines($log);

	$t->write_file('nginx.conf', $bad);
	kill 'HUP', $t->pid();
	wait_for(sub { $t->log_lines($log) > $n }, 20, $what);

	# nothing else comes after it: the workers are asked for what they are
	$t->write_file('nginx.conf', $good);
	$t->kill_worker();

	serves($what);
}

my $other = $t->backend(8081);
my $port = $t->port(8081);
my $busy = $good =~ s/(listen [^;]+;)/$1 listen 127.0.0.1:$port;/r;
my $given_up = qr/still could not bind|bind\(\) to 127.0.0.1:$port failed/;
my $end = qr/still could not bind/;

serves('as it began');

fails('postconfiguration', $good =~ s/mon_zone.*//r, qr/has nothing to serve/);

$t->expect($given_up);

fails('port in use', $busy, $end);
fails('port in use, without a zone',
      $busy =~ s/mon_zone.*//r =~ s/location = .metrics.*//r, $end);
fails('a variable, without a zone',
      $good =~ s/mon_zone.*//r
	    =~ s/location = .metrics.*/location = \/x { return 200 \$nil; }/r,
      qr/unknown "nil" variable/);

SKIP: {
	skip 'built in', 4 unless $t->module();

	my $without = $busy =~ s/load_module.*//r =~ s/mon_zone.*//r
			    =~ s/location = .metrics.*//r;

	fails('port in use, without the module', $without, $end);

	# nginx takes a module that came with it out of memory again

	$good = $without =~ s/ listen [^;]+:$port;//r;

	$t->write_file('nginx.conf', $good);
	$t->reload();

	my $n = $t->log_lines($end);
	$t->write_file('nginx.conf', $busy);
	kill 'HUP', $t->pid();
	wait_for(sub { $t->log_lines($end) > $n }, 20, 'failed once more');
	$t->kill_worker();

	is($t->get('/file')->{status}, 200, 'as if it never had been there');
}

done_testing();
