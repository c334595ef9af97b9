#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# mon_deadline and threads that read or write files for a request: it ends when
# they have done what they are at, and does not begin anew.

use NgxMon;

use File::Basename qw/ dirname /;
use Time::HiRes qw/ time /;

plan(skip_all => 'the sanitizers are preloaded')
	if $ENV{NGX_MON_SANITIZED} || $ENV{VALGRIND};

my $t = NgxMon->new()->has('threads', 'http_auth_request');
my $dir = $t->dir();

my $out = $t->command($ENV{CC} || 'cc', '-shared', '-fPIC', '-o',
		      "$dir/slow.so", dirname(__FILE__) . '/slow.c', '-ldl');

die "slow.c: $out" if $?;

$t->write_file('large', 'x' x 3000000);

$t->conf(<<'EOC', main => 'env SLOW_FILE; thread_pool default threads=32;');
mon_zone mon 4m;

proxy_cache_path cache keys_zone=cache:1m;

server {
    listen 127.0.0.1:%%PORT_8080%% sndbuf=32k;

    mon_deadline 200ms;
    aio threads;
    output_buffers 1 16k;

    location = /metrics { mon_deadline off; mon_metrics; }
    location /fast { return 200 fast; }
    location /file/ { alias %%TESTDIR%%/; }
    location /later/ { mon_deadline 700ms; alias %%TESTDIR%%/; }
    location /sendfile/ { sendfile on; alias %%TESTDIR%%/; }
    location /ssi/ {
        ssi on;
        ssi_types *;
        default_type text/html;
        location /ssi/one { return 200 '-<!--# include virtual="/file/large" -->-'; }
    }
    location /auth/ { auth_request /cached/a; alias %%TESTDIR%%/; }
    location /cached/ {
        proxy_cache cache;
        proxy_cache_valid 1h;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
    location /write/ {
        mon_deadline 700ms;
        aio_write on;
        proxy_buffers 4 4k;
        proxy_busy_buffers_size 8k;
        proxy_temp_file_write_size 8k;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
}
EOC

$t->backend(8081);

{
	local $ENV{LD_PRELOAD} = "$dir/slow.so";
	local $ENV{SLOW_FILE} = "$dir/slow";

	$t->run();
}

my $n = 0;

sub slow {
	my ($uri, $what, %o) = @_;
	my $client = $t->client();
	my $start = time();
	my $r = $client->get($uri);
	my $took = time() - $start;

	$n++;
	is($r->{status}, $o{status} // 504, "$what: answered");
	cmp_ok($took, '>', 0.19, 'not before its time');
	cmp_ok($took, '<', 10, 'but then');

	if ($r->{status} == 504) {
		is($client->get('/fast')->{status}, 200, 'the connection goes on');
	} else {
		ok($client->closed(), 'the connection ends');
		cmp_ok(length $r->{body}, '<', 2000000, 'not all was sent');
	}

	$client->close();
}

is($t->get('/cached/a')->{status}, 200, 'cached');
is($t->get('/cached/a')->{status}, 200, 'from the cache');
is(length $t->get('/later/large')->{body}, 3000000, 'a file');

$t->write_file('slow', '');

slow('/file/large', 'a file that is not read yet');
slow('/later/large', 'a file of which a part is read', status => 200);
slow('/cached/a', 'the cache');
slow('/auth/large', 'a subrequest');
slow('/ssi/one', 'SSI');

# a slow reader

for my $uri (qw{ /sendfile/large /write/bytes/3000000 }) {
	my $client = $t->client(rcvbuf => 4096);

	$client->send_request('GET', $uri);
	$n++;
	ok($t->wait_metric($n, 'nginx_http_errors_total', reason => 'deadline'),
	   $uri);
	ok($client->closed(), 'the connection ends');
	cmp_ok(length $client->read_all(), '<', 2000000, 'not all was sent');
	$client->close();
}

# clients that leave while a thread is at work, before the deadline and after

my @clients = map { $t->client() } 1 .. 10;

$_->send_request('GET', $_ == $clients[0] ? '/cached/a' : '/file/large')
	for @clients;
select undef, undef, undef, 0.1;
$_->reset() for @clients[0 .. 4];
select undef, undef, undef, 0.2;
$_->close() for @clients[5 .. 9];

unlink "$dir/slow";

my $m;

ok(wait_for(sub {
	$m = $t->metrics();
	$m->get('nginx_http_requests_in_flight') == 0
		&& $m->get('nginx_upstream_requests_in_flight') == 0
		&& $m->get('nginx_connections_active') == 1
}, 10, 'nothing in flight'), 'nothing in flight');

cmp_ok($m->get('nginx_http_errors_total', reason => 'deadline'), '>=', $n,
       'counted');
is($t->get('/cached/a')->{status}, 200, 'the cache is whole');

done_testing();
