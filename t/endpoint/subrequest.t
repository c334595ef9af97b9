#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# As a subrequest: SSI includes, one after another or several at once, before
# and after others; add_after_body, auth_request, error_page.

use NgxMon;

my $t = NgxMon->new()->has('http_auth_request', 'http_addition');

my $locations = join '', map { "    location /$_/ { return 200; }\n" } 1 .. 200;

$t->conf(<<"EOC");
mon_zone mon 16m;

server {
    listen 127.0.0.1:%%PORT_8080%%;
    listen 127.0.0.1:%%PORT_8082%%;

    location = /metrics { mon_metrics; }
    location = /health { mon_health; }
    location = /live { mon_health live; }

    location /ssi/ { ssi on; ssi_types *; alias %%TESTDIR%%/; }
    location = /added { add_after_body /metrics; addition_types *;
                        return 200 "body\\n"; }
    location = /authorized { auth_request /live; return 204; }
    location = /failed { error_page 404 =200 /metrics; return 404; }
    location = /unhealthy { try_files /none /health; }

$locations
}
EOC


$t->write_file('one.html', "before\n"
	       . qq(<!--#include virtual="/metrics" -->after\n));
$t->write_file('many.html', join '', map {
	"$_\n" . qq(<!--#include virtual="/metrics" -->)
	. qq(<!--#include virtual="/health" -->)
} 1 .. 5);
$t->write_file('wait.html',
	       qq(<!--#include virtual="/health" wait="yes" -->--\n)
	       . qq(<!--#include virtual="/metrics" wait="yes" -->end\n));

$t->run();

my $health = qr/\{"status":[^\n]*\}\n/;

sub metrics_are {
	my ($text, $name) = @_;

	my $m = eval { NgxMon::Metrics->parse($text) };

	ok($m && $m->get('nginx_mon_info'), $name) or diag($@);
}

for my $port (8080, 8082) {
	my $c = $t->client(port => $port);

	my ($one) = $c->get('/ssi/one.html')->{body}
		=~ /^before\n(.*)after\n\z/s;
	metrics_are($one, "SSI, port $port");

	my $body = $c->get('/ssi/many.html')->{body};

	for (1 .. 5) {
		ok($body =~ s/^$_\n(# HELP.*?)($health)//s, "pair $_");
		metrics_are($1, "scrape $_");
	}

	is($body, '', 'nothing else');

	$body = $c->get('/ssi/wait.html')->{body};
	ok($body =~ s/^$health--\n//, 'health waited for');
	ok($body =~ s/end\n\z//, 'metrics waited for');
	metrics_are($body, 'metrics');

	# one that is slow to read

	my $slow = $t->client(port => $port, rcvbuf => 8192);
	$slow->send_request('GET', '/ssi/many.html', close => 1);
	select undef, undef, undef, 0.05;
	$body = $slow->response()->{body};
	is(() = $body =~ /^$health/mg, 5, 'slow: all parts');
	is(() = $body =~ /^nginx_mon_info/mg, 5, 'slow: all scrapes');

	# and ones that leave

	for (1 .. 5) {
		my $leaver = $t->client(port => $port, rcvbuf => 8192);
		$leaver->send_request('GET', '/ssi/many.html');
		$leaver->read_until(qr/HELP/);
		$_ % 2 ? $leaver->reset() : $leaver->close();
	}

	is($c->get('/added')->{status}, 200, 'addition');
	like($c->get('/added')->{body}, qr/^body\n# HELP/, 'after the body');
	is($c->get('/authorized')->{status}, 204, 'auth_request');
	is($c->get('/failed')->{status}, 200, 'error_page');
	metrics_are($c->get('/failed')->{body}, 'error_page');
	like($c->get('/unhealthy')->{body}, qr/^$health$/, 'try_files');
}

ok(NgxMon::Metrics->parse($t->get('/metrics')->{body}), 'still whole');

done_testing();
