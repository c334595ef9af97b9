#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# A sample larger than a piece: a histogram with all the buckets and all the
# labels there may be, every byte of which is escaped.

use NgxMon;

use NgxMon::Scrape qw/ judge_all /;

my $t = NgxMon->new();

my $labels = join '', map {
	my $name = sprintf 'l%02d%s', $_, 'x' x 61;

	"        mon_label $name \$http_x;\n"
} 1 .. 16;

my $buckets = join ' ', map { $_ / 1000 } 1 .. 30;

$t->conf(<<"EOC");
mon_zone mon 8m;
mon_buckets $buckets;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /metrics { mon_metrics; }
    location = /gzip { gzip on; gzip_types *; mon_metrics; }
    location / {
$labels
        return 200;
    }
}
EOC

$t->run();

$t->get('/', headers => [X => '"' x 200]) for 1 .. 3;
$t->get('/', headers => [X => '\\' x 200]);
$t->get('/', headers => [X => 'x']);

my $r = $t->get('/metrics');

is($r->{status}, 200, 'status');
is($r->{error}, '', 'whole');

my $m = NgxMon::Metrics->parse($r->{body});
my @samples = $m->samples('nginx_http_request_duration_seconds_bucket',
			  location => '/', le => '+Inf');

is(scalar @samples, 3, 'all samples');
is((grep { $_->{labels}{'l01' . 'x' x 61} eq '"' x 128 } @samples)[0]{value},
   3, 'the value');

my ($sample) = $r->{body}
	=~ /((?:^nginx_http_request_duration\w+\{server="_",location="\/".*\n)+)/m;

cmp_ok(length($sample // '') / 3, '>', 100_000, 'larger than any piece');
is(judge_all($t), '', 'accepted');

# by one who is slow, and one who leaves

my $c = $t->client(rcvbuf => 65536);
$c->send_request('GET', '/metrics', close => 1);
is($c->response()->{error}, '', 'slow');

$c = $t->client(rcvbuf => 8192);
$c->send_request('GET', '/metrics');
$c->read_bytes(1000);
$c->reset();

ok(length $t->get('/gzip', headers => ['Accept-Encoding' => 'gzip'])->{body},
   'gzip');

done_testing();
