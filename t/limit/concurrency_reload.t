#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# A reload keeps what mon_concurrency counts and its queue: old and new workers
# share it; a larger max lets those that wait through at once.

use NgxMon;

my $t = NgxMon->new();

sub conf {
	my ($max, $more) = @_;

	$more //= 'queue=50 timeout=60s';

	$t->conf(<<"EOC", workers => 2);
mon_zone mon 4m;

server {
    listen 127.0.0.1:%%PORT_8080%% reuseport;

    location = /metrics { mon_metrics; }
    location /plain/ {
        mon_concurrency max=$max name=plain $more;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
    location /keyed/ {
        mon_concurrency max=$max name=keyed key=\$arg_k $more;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
}
EOC
}

conf(2);

my $backend = $t->backend(8081);

$t->run();

my (%clients, $name);

sub gauge {
	my ($what, $n) = @_;

	return $t->wait_metric($n, "nginx_http_concurrency_$what",
			       name => $name);
}

sub add {
	my ($n, $word) = @_;

	for (1 .. $n) {
		my $client = $t->client(timeout => 40);

		push @{ $clients{$name} }, $client;
		$client->send_request('GET', "/$name/wait/$word?k=x");
	}
}

for (qw/ plain keyed /) {
	$name = $_;
	add(10, 'one');
	ok(gauge('queued', 8), "$name: eight wait");
}

# nothing is lost, by any number of reloads

$t->reload() for 1 .. 3;

for (qw/ plain keyed /) {
	$name = $_;

	ok(gauge('in_flight', 2), "$name: two in flight");
	ok(gauge('queued', 8), 'eight wait');
	add(2, 'one');
	ok(gauge('queued', 10), 'who comes now waits behind them');
}

# a larger limit

conf(7);
$t->reload();

for (qw/ plain keyed /) {
	$name = $_;

	ok(gauge('in_flight', 7), "$name: five more are let through");
	ok(gauge('queued', 5), 'the others wait');
	ok(gauge('limit', 7), 'the limit');
}

ok(wait_for(sub { $backend->requests() == 14 }, 10, 'requests'),
   'by old workers, which they came to');

# a smaller one: nobody before there are fewer

conf(3);
$t->reload();

is($t->metric('nginx_http_concurrency_in_flight', name => $_), 7,
   "$_: none is ended") for qw/ plain keyed /;

$backend->tell('one');

for (qw/ plain keyed /) {
	$name = $_;

	is(scalar(grep { $_->response()->{status} == 200 }
		  @{ $clients{$name} }), 12, "$name: all are answered");
	ok(gauge('in_flight', 0), 'none in flight');
	ok(gauge('queued', 0), 'nobody waits');

	$clients{$name} = [];
	add(5, 'two');
	ok(gauge('queued', 2), 'the smaller limit');
}

# another queue and timeout hold for those who come

conf(3, 'queue=3 timeout=200ms status=429');
$t->reload();

for (qw/ plain keyed /) {
	$name = $_;

	is($t->get("/$name/?k=x")->{status}, 429, "$name: the timeout");
	is($t->metric('nginx_http_concurrency_queued', name => $name), 2,
	   'those before have theirs');
}

$backend->tell('two');
is(scalar(grep { $_->response()->{status} == 200 }
	  map { @$_ } values %clients), 10, 'all are answered');

# another key is an error

my $conf = $t->read_file('nginx.conf');

$t->write_file('nginx.conf', $conf =~ s/\$arg_k/\$uri/r);
$t->expect(qr/uses the key|can't be used/);
kill 'HUP', $t->pid();

ok(wait_for(sub { $t->log_lines(qr/of the name "keyed" uses the key "\$uri" while previously it used "\$arg_k"/) },
	    10, 'an error'), 'another key is an error');
is($t->get('/plain/')->{status}, 200, 'nginx goes on as before');

# the directive goes, and comes again

$t->write_file('nginx.conf', $conf =~ s/mon_concurrency[^;]*;//gr);
$t->reload();
is($t->get('/plain/')->{status}, 200, 'without');
is($t->metrics()->get('nginx_http_concurrency_limit') // 'none', 'none',
   'no limiter is told of');

conf(1);
$t->reload();
is($t->get('/plain/')->{status}, 200, 'with');
is($t->metric('nginx_http_concurrency_limit', name => 'plain'), 1,
   'the limit');

done_testing();
