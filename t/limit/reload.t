#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# A reload keeps what keys have used; a changed rate or burst takes hold at
# once, also where its unit is another one; another size begins anew, another
# key is an error, and nginx goes on as before.

use NgxMon;

my $t = NgxMon->new(workers => 2);

$t->expect(qr/\[emerg\]/);

sub conf {
	my ($rate, $size, $key) = @_;

	$size //= '1m';
	$key //= '$arg_k';

	return $t->conf(<<"EOC");
mon_zone mon 4m;
mon_limit_zone $key zone=one:$size rate=$rate;

server {
    listen 127.0.0.1:%%PORT_8080%%;
    location = /metrics { mon_metrics; }
    location / { mon_limit zone=one; proxy_pass http://127.0.0.1:%%PORT_8081%%; }
}
EOC
}

sub told {
	my $r = $t->get("/?k=$_[0]");

	return join ' ', $r->{status},
		$r->{headers}{ratelimit} =~ /;r=(\d+);/;
}

my $b = $t->backend(8081);

conf('1r/h burst=9');
$t->run();

is(told('a'), "200 $_", "a: $_ left") for 9, 8, 7, 6, 5;
is($t->metric('nginx_http_limit_keys_capacity') > 10000, 1, 'room');

$t->reload();
is(told('a'), '200 4', 'kept');
is(told('b'), '200 9', 'another key');

# 6 hours are used

conf('2r/h burst=19');
$t->reload();
is(told('a'), '200 7', 'twice the rate: 12 of 20 were used');

conf('2r/h burst=9');
$t->reload();
is(told('a'), '429 0', 'a smaller burst: all of 5 hours');

conf('7r/d burst=6');			# 3 3/7 hours each
$t->reload();
is(told('a'), '200 4', 'another unit: 5 hours are 1.46 of 7');
is(told('b'), '200 5', 'the other key');
is(told('c'), '200 6', 'a new one');

conf('1r/h burst=9');			# 8.43 hours
$t->reload();
is(told('a'), '200 0', 'and back');
is(told('a'), '429 0', 'nothing left');

conf('11r/s burst=9');
$t->reload();
like(told('a'), qr/^429 0/, 'a high rate, with hours to wait: as far as the '
     . 'burst reaches');
ok(wait_for(sub { told('a') =~ /^200/ }, 10), 'and no further');

# a worker of before goes on with the rate it has

conf('1r/h burst=9');
$t->reload();
is(told('d'), '200 9', 'd');

my $c = $t->client();
my ($old) = $t->workers();

$c->send_request('GET', '/wait/x?k=d');
$t->wait_metric(1, 'nginx_http_requests_in_flight', location => '/');

conf('7r/h burst=9');			# 2 hours of 7 are 14
$t->reload();
is(told('d'), '429 0', 'the new rate');
ok(scalar $t->workers(undef, shutting => 1), 'a worker drains');
$b->tell('x');
like($c->response()->{headers}{'ratelimit-policy'}, qr/q=10;w=36000/,
     'with the old one');

# another key

conf('7r/h burst=9', '1m', '$arg_other');
kill 'HUP', $t->pid();

ok(wait_for(sub {
	$t->read_file('error.log') =~ /\[emerg\].*mon_limit "one" uses the "\$arg_other" key while previously it used the "\$arg_k" key/;
}), 'another key is an error');
is(told('d'), '429 0', 'nginx goes on');

# another size

conf('7r/h burst=9', '2m');
$t->reload();
is(told('d'), '200 9', 'another size: from the beginning');
is($t->metric('nginx_http_limit_keys_capacity') > 25000, 1, 'more room');

conf('7r/h burst=9', '2m', '$arg_other');
kill 'HUP', $t->pid();
ok(wait_for(sub {
	2 == (() = $t->read_file('error.log') =~ /\[emerg\].*uses the/g);
}), 'still an error');

conf('7r/h burst=9', '1m', '$arg_other');
$t->reload();
is($t->get('/?k=d&other=1')->{status}, 200, 'but not with another size');

done_testing();
