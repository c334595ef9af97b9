#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Limits of concurrency in the API: every figure, by names of any kind.

use NgxMon;

use JSON::PP qw/ decode_json /;

my $t = NgxMon->new(workers => 2);

my $conf = <<'EOC';
mon_zone mon 8m;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location /mon/ { mon_status write; }

    location /plain/ {
        mon_concurrency max=2 queue=3 timeout=20s status=529 name=plain;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
    location /same/ {
        mon_concurrency max=2 queue=3 timeout=20s status=529 name=plain;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
    location /labelled/ {
        mon_concurrency max=7;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
    location /keyed/ {
        mon_concurrency max=1 "name=a \"b\"/ä%2F?" key=$arg_k;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
    location /adaptive/ {
        mon_concurrency max=adaptive queue=5 name=adaptive;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
}
EOC

$t->conf($conf);

my $b = $t->backend(8081);

$t->run();

my ($true, $false) = (JSON::PP::true, JSON::PP::false);
my $base = '/mon/api/http/limits/concurrency';

sub answer {
	my ($path, $method) = @_;

	my $r = $t->request($method // 'GET', "$base$path",
			    headers => ['X-Mon-Write' => 1]);

	$r->{json} = eval { decode_json($r->{body}) };
	fail("no JSON: $r->{body}") unless $r->{json};

	return $r;
}

sub api {
	my $r = answer(@_);

	is($r->{status}, 200, "$_[0]: 200");

	return $r->{json};
}

sub in_flight {
	my ($path, $n, $queued) = @_;

	wait_for(sub {
		my $v = answer($path)->{json};

		$v->{in_flight} == $n && $v->{queued} == $queued;
	}, 10, "$path: $n in flight, $queued queued");
}

my $odd = qq{a "b"/\x{e4}%2F?};
my $odd_path = '/a%20%22b%22%2F%C3%A4%252F%3F';
my $all = api('');

is_deeply([sort keys %$all], ['/labelled/', $odd, 'adaptive', 'plain'],
	  'all of them');

my $plain = api('/plain');

like(delete $plain->{used_by}[$_], qr{/nginx.conf:\d+$}, 'used') for 1, 0;
is_deeply($plain, {
	key => undef, adaptive => $false, queue => 3, timeout => 20,
	status => 529, limit => 2, in_flight => 0, queued => 0,
	min_rtt => undef, gradient => undef, used_by => [],
}, 'every figure');

is(api('/%2Flabelled%2F')->{limit}, 7, 'by the location');
is(api($odd_path)->{key}, '$arg_k', 'a key');
is(api('/adaptive')->{adaptive}, $true, 'adaptive');
is_deeply(decode_json($t->get('/mon/api/http/')->{body})->{limits},
	  { concurrency => $all }, 'in the tree');

# what is in flight, and waits

my @clients = map { $t->client() } 1 .. 5;

for (0 .. 4) {
	$clients[$_]->send_request('GET', '/plain/wait/word', close => 1);
	in_flight('/plain', $_ < 2 ? ($_ + 1, 0) : (2, $_ - 1));
}

is($t->get('/same/')->{status}, 529, 'the queue is full');
$b->tell('word');
is($_->response()->{status}, 200, 'answered') for @clients;
in_flight('/plain', 0, 0);

# of all keys

@clients = map { $t->client() } 1 .. 3;
$clients[$_]->send_request('GET', "/keyed/wait/other?k=$_", close => 1)
	for 0 .. 2;
in_flight($odd_path, 3, 0);
$b->tell('other');
is($_->response()->{status}, 200, 'answered') for @clients;

# what was measured

is($t->get('/adaptive/')->{status}, 200, 'a request') for 1 .. 20;

my $adaptive = api('/adaptive');

cmp_ok($adaptive->{limit}, '>=', 10, 'a limit');
ok(!defined $adaptive->{$_} || $adaptive->{$_} > 0, "$_: a number")
	for qw/ min_rtt gradient /;

# what is not there, and can't be done

is(answer($_)->{status}, 404, "404: $_")
	for '/x', '/plain/x', '/labelled/', '/%2Flabelled';
is(answer($_, 'POST')->{status}, 405, "405: $_") for '', '/plain';
is(answer($_, 'POST')->{status}, 404, "404: $_") for '/x', '/plain/reset';

# gone with the configuration

$t->conf($conf =~ s/mon_concurrency [^;]*plain;//gr);
$t->reload();
is_deeply([sort keys %{ api('') }], ['/labelled/', $odd, 'adaptive'],
	  'the others stay');

$t->conf($conf =~ s/mon_concurrency [^;]*;//gr);
$t->reload();
is_deeply(api(''), {}, 'none');

done_testing();
