#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# mon_label: one more label on the request families, static or of a variable,
# inherited like add_header; the gauges stay without.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

mon_label site main;

map $http_x_client $class {
    default $http_x_client;
    ~bot bot;
}

proxy_cache_path cache keys_zone=c:1m;
limit_req_zone $arg_k zone=r:1m rate=1r/m;

server {
    listen 127.0.0.1:%%PORT_8080%%;
    server_name one;

    location = /metrics { mon_metrics; }

    location /inherits { return 200; }

    location /own {
        mon_label client $class;
        mon_label both "$request_method-$arg_x";

        location /own/nested { return 200; }
        return 200;
    }
    location /if {
        mon_label client $class;
        if ($arg_a) { return 202; }
        return 200;
    }
    location /all/ {
        mon_label client $class;
        mon_slow 1ms;
        limit_req zone=r burst=100 nodelay;
        proxy_cache c;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
}

server {
    listen 127.0.0.1:%%PORT_8082%%;
    server_name two;
    mon_label host $host;

    location / { return 200; }
}

server {
    listen 127.0.0.1:%%PORT_8083%%;
    server_name late;
    mon_label late $upstream_status;
    location / { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
}
EOC

my $b = $t->backend(8081);

$t->run();

my $total = 'nginx_http_requests_total';
my $m = $t->metrics();

is($m->get('nginx_http_requests_in_flight', location => '/own'), 0,
   'the gauges are there from the start');
is(scalar grep({ $_->{labels}{site} }
	       $m->samples('nginx_http_requests_in_flight')), 0,
   'without the label');

sub labels {
	my ($name, @labels) = @_;

	return [ sort map { my $s = $_;
		join ' ', map { "$_=$s->{labels}{$_}" } sort keys %{ $s->{labels} }
	} $t->metrics()->samples($name, @labels) ];
}

$t->get('/inherits');
is_deeply(labels($total, location => '/inherits'),
	  ['location=/inherits method=GET server=one site=main status=200'],
	  'inherited');

$t->get('/own', headers => [ 'X-Client' => 'a' ]);
$t->get('/own?x=1', headers => [ 'X-Client' => 'some-bot' ]);
$t->get('/own', headers => [ 'X-Client' => 'a' ]);
$t->get('/own');
is_deeply(labels($total, location => '/own'), [
	'both=GET- client= location=/own method=GET server=one status=200',
	'both=GET- client=a location=/own method=GET server=one status=200',
	'both=GET-1 client=bot location=/own method=GET server=one status=200',
], 'its own, instead of those of above');
is($t->metric($total, client => 'a'), 2, 'one series for one value');

$t->get('/own/nested');
is_deeply(labels($total, location => '/own/nested'), [
	'both=GET- client= location=/own/nested method=GET server=one status=200',
], 'inherited by a nested location');

$t->get('/if?a=1', headers => [ 'X-Client' => 'a' ]);
is($t->metric($total, location => '/if', client => 'a', status => 202), 1,
   'inside of "if"');

$t->get('/', port => 8082, host => 'first.example');
$t->get('/', port => 8082, host => 'second.example');
is($t->metric($total, server => 'two', host => $_), 1, $_)
	for qw/ first.example second.example /;

$t->get('/status/404', port => 8083);
is($t->metric($total, server => 'late', late => 404), 1,
   'a value known at the end only');

$t->http("nonsense\r\n\r\n");
ok($t->wait_metric(1, $total, location => '', site => 'main', status => 400),
   'a request that was not read has it');

# every family of the traffic

for my $client (qw/ x y /) {
	$t->get("/all/delay/0.01/status/500?k=1",
		headers => [ 'X-Client' => $client ]);
}

$m = $t->metrics();

for (qw/ requests_total request_bytes_total response_bytes_total
	 slow_requests_total request_duration_seconds_count
	 time_to_first_byte_seconds_count errors_total limited_requests_total
	 cache_requests_total /)
{
	my @samples = $m->samples("nginx_http_$_", location => '/all/');

	cmp_ok($m->get("nginx_http_$_", location => '/all/',
		       client => 'x') // 0, '>', 0, $_);
	is(join(' ', sort map { $_->{labels}{client} } @samples), 'x y',
	   "$_ by label only");
}

# in flight

my $c = $t->client();

$c->send_request('GET', '/all/wait/end', headers => [ 'X-Client' => 'z' ]);
$t->wait_metric(1, 'nginx_http_requests_in_flight');
is_deeply(labels('nginx_http_requests_in_flight', location => '/all/'),
	  ['location=/all/ server=one'], 'in flight, without the label');
$b->tell('end');
is($c->response()->{status}, 200, 'answered');
$t->wait_metric(0, 'nginx_http_requests_in_flight');

done_testing();
