#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# A real Prometheus server scrapes nginx under traffic, once by its own Accept
# and once in the text format, and answers queries.

use NgxMon;

use JSON::PP qw/ decode_json /;

plan(skip_all => 'no prometheus') unless -x '/usr/bin/prometheus';

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 8m;

server {
    listen 127.0.0.1:%%PORT_8080%%;
    server_name one;

    location = /metrics { mon_metrics; }
    location = /text { mon_metrics prometheus; }
    location / { return 200 "some text\n"; }
    location /held { proxy_pass http://127.0.0.1:%%PORT_8082%%; }
}
EOC

$t->write_file_expand('prometheus.yml', <<'EOC');
global:
  scrape_interval: 250ms
  scrape_timeout: 250ms

scrape_configs:
  - job_name: negotiated
    static_configs: [{ targets: ['127.0.0.1:%%PORT_8080%%'] }]
  - job_name: text
    metrics_path: /text
    static_configs: [{ targets: ['127.0.0.1:%%PORT_8080%%'] }]
EOC

# it takes a request and says nothing: one is in flight

my $hole = IO::Socket::INET->new(Proto => 'tcp', Listen => 5, ReuseAddr => 1,
	LocalAddr => '127.0.0.1', LocalPort => $t->port(8082)) or die;

$t->run();

my $held = $t->client();
$held->send_request('GET', '/held');

$t->daemon(['prometheus', '--config.file', '%%TESTDIR%%/prometheus.yml',
	    '--storage.tsdb.path', '%%TESTDIR%%/data', '--log.level', 'warn',
	    '--web.listen-address', '127.0.0.1:%%PORT_8081%%'], port => 8081);

sub api {
	my ($uri) = @_;

	my $r = $t->get("/api/v1/$uri", port => 8081);
	my $answer = eval { decode_json($r->{body}) };

	return $answer && $answer->{data};
}

sub query {
	my ($query) = @_;

	$query =~ s/([^\w])/sprintf '%%%02x', ord $1/ge;

	my $data = api("query?query=$query");

	return unless $data && @{ $data->{result} };

	return $data->{result}[0]{value}[1];
}

# traffic, until there is something to be said

my $c = $t->client();
my $total = 'nginx_http_requests_total{location="/",status="200",job="%s"}';

for my $job (qw/ negotiated text /) {
	my $series = sprintf $total, $job;
	my $rate;

	ok(wait_for(sub {
		$c = $t->client() if $c->get('/')->{status} != 200;

		$rate = query("rate(${series}[1m])");

		return defined $rate && $rate > 0;
	}, 20, 'a rate'), "rate, $job");

	my $held = query('nginx_http_requests_in_flight{location="/held",'
			 . "job=\"$job\"}");

	is($held, 1, 'in flight');

	my $q = query('histogram_quantile(0.99, sum by (le) (rate('
		      . 'nginx_http_request_duration_seconds_bucket'
		      . "{location=\"/\",job=\"$job\"}[1m])))");

	ok(defined $q && $q > 0 && $q < 10, 'histogram_quantile')
		or diag($q);

	is(query("nginx_mon_info{job=\"$job\"}"), 1, 'info');
	ok(query("nginx_connections_accepted{job=\"$job\"}") > 0,
	   'a counter without a suffix');
	is(query("count(up{job=\"$job\"} == 1)"), 1, 'up');
}

# what was counted is what it knows in the end

my $sent = $t->metric('nginx_http_requests_total', location => '/',
		      status => 200);

for my $job (qw/ negotiated text /) {
	ok(wait_for(sub {
		query(sprintf $total, $job) == $sent
	}, 10, 'the last scrape'), "the same number, $job");
}

my $targets = api('targets');

for (@{ $targets->{activeTargets} }) {
	is($_->{health}, 'up', "health of $_->{labels}{job}");
	is($_->{lastError}, '', 'no error');
}

is(query('sum(count_over_time((up == 0)[1m:250ms]))'), undef,
   'was always up');

my $meta = api('metadata?metric=nginx_http_requests_total');

is($meta->{nginx_http_requests_total}[0]{type}, 'counter', 'type');

is($t->read_file('prometheus.out'), '', 'prometheus has no complaint');

$held->close();

done_testing();
