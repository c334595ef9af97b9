#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# A reload that comes to nothing once the configuration was read, as where a
# port is in use: the limits in force stay what they were.  nginx has forgotten
# its chain of filters by then, and a worker that starts later limits, tells
# and learns as the others do.

use NgxMon;

my $t = NgxMon->new();

my $conf = <<'EOC';
mon_zone mon 4m;
mon_limit_zone $arg_k zone=rate:1m rate=1r/h burst=1;

upstream quota {
    server 127.0.0.1:%%PORT_8081%%;
    mon_limit rate=1r/h burst=0;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /metrics { mon_metrics; }
    location /rate { mon_limit zone=rate; empty_gif; }
    location /quota/ { proxy_pass http://quota; }
    location /adaptive/ {
        mon_concurrency max=adaptive;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
    location /queue/ {
        mon_concurrency max=2 queue=10 timeout=60s name=queue;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
}
EOC

my $backend = $t->conf($conf)->backend(8081);

$t->run();

is($t->get('/rate?k=a')->{status}, 200, 'a request');

sub queue {
	my ($in_flight, $queued) = @_;

	ok($t->wait_metric($queued, 'nginx_http_concurrency_queued',
			   name => 'queue'), "$queued wait");
	is($t->metric('nginx_http_concurrency_in_flight', name => 'queue'),
	   $in_flight, "$in_flight in flight");
}

sub fails {
	my ($what, $http) = @_;
	my $n = $t->log_lines(qr/still could not bind/);

	$t->conf($http);
	kill 'HUP', $t->pid();
	ok(wait_for(sub { $t->log_lines(qr/still could not bind/) > $n }, 20,
		    $what), "a reload that fails: $what");
}

my @clients = map { $t->client(timeout => 40) } 1 .. 6;

$_->send_request('GET', '/queue/wait/word') for @clients;
queue(2, 4);

# other limits

$t->expect(qr/bind\(\) to|still could not bind/);
fails('other limits', $conf =~ s/max=2/max=5/r =~ s{1r/h}{1000r/s}gr
      =~ s/listen/listen 127.0.0.1:%%PORT_8081%%; listen/r);
queue(2, 4);
is($t->metric('nginx_http_concurrency_limit', name => 'queue'), 2,
   'the limit');
$backend->tell('word');
is($_->response()->{status}, 200, 'one that has waited') for @clients;
queue(0, 0);

# nothing of all that

fails('no limits', 'server { listen 127.0.0.1:%%PORT_8080%%; '
      . 'listen 127.0.0.1:%%PORT_8081%%; }');

$t->kill_worker();

my $first = $t->metric('nginx_http_time_to_first_byte_seconds_count',
		       location => '/rate');
my $r = $t->get('/rate?k=a');

is($r->{status}, 200, 'the last one');
like($r->{headers}{ratelimit}, qr/^"rate";r=0;t=3[56]/, 'told so');
$r = $t->get('/rate?k=a');
is($r->{status}, 429, 'refused');
like($r->{headers}{'retry-after'}, qr/^3[56]/, 'for an hour');

is($t->get('/quota/')->{status}, 200, 'a share of the upstream');
$r = $t->get('/quota/');
is($r->{status}, 503, 'there is none left');
is($r->{headers}{'retry-after'}, 3600, 'for an hour, too');

$t->wait_metric($first + 2, 'nginx_http_time_to_first_byte_seconds_count',
		location => '/rate');

ok(wait_for(sub {
	$t->get('/adaptive/');
	return $t->metric('nginx_http_concurrency_min_rtt_seconds');
}, 20, 'latency'), 'an adaptive limit learns');

done_testing();
