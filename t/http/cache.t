#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# The status of a cache, by location and by zone.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

proxy_cache_path cache/a keys_zone=one:1m;
proxy_cache_path cache/b keys_zone=two:1m;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /metrics { mon_metrics; }

    proxy_cache one;
    proxy_cache_key $arg_k;

    location / {
        proxy_cache_valid 200 1h;
        proxy_cache_bypass $arg_bypass;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
    location /short/ {
        proxy_cache_use_stale error http_500 updating;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
    location /revalidate/ {
        proxy_cache_revalidate on;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
    location /scarce/ {
        proxy_cache two;
        proxy_cache_min_uses 5;
        proxy_cache_valid 1h;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
    location /none/ {
        proxy_cache off;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
    location /caught/ {
        proxy_cache two;
        proxy_intercept_errors on;
        error_page 404 /again/;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
    location /again/ {
        proxy_cache one;
        proxy_cache_valid 1h;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
    location /sub {
        auth_request /auth;
        try_files /none =204;
    }
    location = /auth {
        proxy_cache two;
        proxy_cache_key auth;
        proxy_cache_valid 1h;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
}
EOC

my $b = $t->backend(8081);

mkdir $t->dir() . '/cache';
$t->run();

# the statuses that grew, at the location and in the zones

sub grown {
	my ($location, $code) = @_;
	my $before = $t->metrics();

	$code->();

	my $after = $t->metrics();
	my @grown;

	for ($after->samples('nginx_http_cache_requests_total'),
	     $after->samples('nginx_cache_responses_total'))
	{
		my %l = %{ $_->{labels} };
		my $more = $_->{value} - ($before->get($_->{name}, %l) // 0);

		push @grown, ($l{zone} // $l{location}) . ":$l{status}"
			for 1 .. $more;
	}

	return join ' ', sort @grown;
}

sub fetch {
	my ($uri) = @_;

	$uri =~ m{^(/\w*/?)};

	return grown($1, sub { $t->get($uri) });
}

is(fetch('/?k=1'), '/:miss one:miss', 'MISS');
is(fetch('/?k=1'), '/:hit one:hit', 'HIT');
is(fetch('/?k=1&bypass=1'), '/:bypass one:bypass', 'BYPASS');
is(fetch('/none/'), '', 'without a cache');
is(fetch('/scarce/?k=2'), '/scarce/:miss two:miss', 'below min_uses');

my $old = 'header/Cache-Control:max-age=1';

is(fetch("/short/$old?k=3"), '/short/:miss one:miss', 'short-lived');
is(fetch("/revalidate/$old/header/Last-Modified:"
	 . 'Thu,%2001%20Jan%201970%2000:00:00%20GMT?k=5'),
   '/revalidate/:miss one:miss', 'to be revalidated');

my $got;
wait_for(sub { ($got = fetch("/short/$old?k=3")) !~ /:hit/ }, 10, 'EXPIRED');
is($got, '/short/:expired one:expired', 'EXPIRED');

$b->mode("/status/304/$old");
wait_for(sub { ($got = fetch("/revalidate/$old?k=5")) !~ /:hit/ }, 10,
	 'REVALIDATED');
is($got, '/revalidate/:revalidated one:revalidated', 'REVALIDATED');

$b->mode('/status/500');
wait_for(sub { ($got = fetch("/short/$old?k=3")) !~ /:hit/ }, 10, 'STALE');
is($got, '/short/:stale one:stale', 'STALE');

# UPDATING: one is on its way to the backend

$b->mode('/wait/update');

my $c = $t->client();
my $n = () = $b->requests();

$c->send_request('GET', "/short/$old?k=3", close => 1);
wait_for(sub { (() = $b->requests()) > $n }, 10, 'the update');
is(fetch("/short/$old?k=3"), '/short/:updating one:updating', 'UPDATING');
is(grown('/short/', sub { $b->tell('update'); $c->closed() }),
   '/short/:expired one:expired', 'the one that updates');

$b->mode('/status/404');
is(fetch('/caught/?k=7'), '/again/:miss one:miss two:miss',
   'two caches for one request');

# a subrequest looks up in the zone, and is no request

$b->mode('/');
is(fetch('/sub'), 'two:miss', 'a subrequest: MISS');
is(fetch('/sub'), 'two:hit', 'a subrequest: HIT');

done_testing();
