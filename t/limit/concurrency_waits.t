#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Who waits for mon_concurrency: mon_deadline ends it, and an error_page for
# that; so does a client that leaves, by HTTP/1 and 2, with a body and without.
# None of them holds a place afterwards.

use NgxMon;

use Time::HiRes qw/ time /;

my $t = NgxMon->new()->has('http_v2');

$t->conf(<<'EOC');
mon_zone mon 4m;

server {
    listen 127.0.0.1:%%PORT_8080%%;
    listen 127.0.0.1:%%PORT_8082%% http2;

    location = /metrics { mon_metrics; }
    location / {
        mon_concurrency max=1 queue=10 timeout=60s name=one;
        mon_deadline 60s;
        error_page 504 = @late;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;

        location /deadline/ {
            mon_deadline 500ms;
            proxy_pass http://127.0.0.1:%%PORT_8081%%;
        }
        location /plain/ {
            mon_deadline 500ms;
            error_page 404 /404;
            proxy_pass http://127.0.0.1:%%PORT_8081%%;
        }
    }
    location @late {
        mon_concurrency max=1 name=late;
        mon_deadline off;
        rewrite ^ /wait/late break;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
}
EOC

my $backend = $t->backend(8081);

$t->run();

sub gauge {
	my ($what, $n) = @_;

	return $t->wait_metric($n, "nginx_http_concurrency_$what",
			       name => 'one');
}

my $held = $t->client(timeout => 60);

$held->send_request('GET', '/wait/held');
ok(gauge('in_flight', 1), 'one in flight');

# the deadline

my $client = $t->client();
my $begin = time();
my $r = $client->get('/plain/');

is($r->{status}, 504, 'the deadline');
cmp_ok(time() - $begin, '>', 0.4, 'not before its time');
ok(gauge('queued', 0), 'it waits no longer');
is($client->get('/metrics')->{status}, 200, 'the connection goes on');

# and an error_page for it, which is not judged again, and waits for nothing

$client->send_request('GET', '/deadline/');
ok(wait_for(sub { $backend->requests() == 2 }, 10, 'error_page'),
   'error_page');
ok(gauge('queued', 0), 'it waits no longer');
is($t->metric('nginx_http_concurrency_in_flight', name => 'late'), 0,
   'it is not judged again');
$backend->tell('late');
is($client->response()->{status}, 200, 'answered by error_page');

# clients that leave

my @clients = map { $t->client() } 1 .. 6;

$clients[$_]->send_request('GET', '/') for 0 .. 2;
$clients[$_]->send_request('POST', '/', body => 'x' x 100000) for 3 .. 5;
ok(gauge('queued', 6), 'six wait');
$clients[0]->reset();
$clients[1]->close();
$clients[3]->reset();
ok(gauge('queued', 3), 'three have left');

# HTTP/2

sub frame {
	my ($type, $flags, $stream, $payload) = @_;

	return substr(pack('N', length $payload), 1)
		. pack('CCN', $type, $flags, $stream) . $payload;
}

# GET http://localhost/

my $request = "\x82\x86\x84\x41\x09localhost";

my $h2 = $t->client(port => 8082);

$h2->send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . frame(4, 0, 0, '')
	  . join '', map { frame(1, 5, $_, $request) } 1, 3, 5);
ok(gauge('queued', 6), 'three streams wait');
$h2->send(frame(3, 0, 3, pack 'N', 8));
ok(gauge('queued', 5), 'one is reset');

my $other = $t->client(port => 8082);

$other->send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . frame(4, 0, 0, '')
	     . frame(1, 5, 1, $request));
ok(gauge('queued', 6), 'another connection');
$other->close();
ok(gauge('queued', 5), 'it is closed');

$backend->tell('held');
is($held->response()->{status}, 200, 'the one that was held');
is($clients[$_]->response()->{status}, 200, "client $_") for 2, 4, 5;

ok(gauge('in_flight', 0), 'none in flight');
ok(gauge('queued', 0), 'nobody waits');

my $answers = '';

ok(wait_for(sub {
	sysread $h2->socket(), $answers, 65536, length $answers;
	my $n = () = $answers =~ /GET \//g;
	$n == 2
}, 10, 'streams'), 'the streams that were left');

my $m = $t->metrics();
my %outcome = map {
	my $outcome = $_;
	($outcome, $m->get('nginx_http_limited_requests_total',
			   limiter => 'mon_concurrency', outcome => $outcome))
} qw/ passed queued aborted /;

is_deeply(\%outcome, { passed => 1, queued => 5, aborted => 7 }, 'outcomes');
is($m->get('nginx_http_errors_total', reason => 'deadline'), 1,
   'the deadline is the reason');

done_testing();
