#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# mon_check: what it takes, and what it refuses with file, line and word.

use NgxMon;

my $t = NgxMon->new();

sub judge {
	my ($directives, %o) = @_;

	my $zone = $o{zone} // 'mon_zone mon 4m;';

	return $t->test_config(<<"EOC", %o);
$zone
upstream backend {
    server 127.0.0.1:%%PORT_8081%%;
    $directives
}
server {
    listen 127.0.0.1:%%PORT_8080%%;
    location / { proxy_pass http://backend; }
}
EOC
}

sub good {
	my ($directives) = @_;

	my ($code, $out) = judge($directives);

	is($code, 0, $directives) or diag($out);
}

sub bad {
	my ($directives, $message, %o) = @_;

	my ($code, $out) = judge($directives, %o);

	isnt($code, 0, "refused: " . substr $directives, 0, 60);
	like($out, qr/\[emerg\].*\Q$message\E.* in \S+:\d+$/m, $message);
}

good($_) for 'mon_check;', 'mon_check type=tcp;', 'mon_check type=grpc;',
	'mon_check type=http uri=/health?x=1 host=a.test port=65535 '
	. 'interval=250ms timeout=1m fall=1 rise=1000 status=200,204,300-599 '
	. 'match="text" mandatory;',
	'mon_check "match=with spaces";', 'mon_check match=text;',
	'mon_check type=grpc host=a.test port=1 mandatory;',
	'mon_check "match={\"status\":\"UP\"}";',
	'mon_check match=' . 'x' x 1024 . ';',
	'zone u 64k; mon_check;', 'least_conn; keepalive 4; mon_check;',
	'mon_check; hash $uri consistent;', 'keepalive 4; mon_check;';

bad("mon_check $_;", qq{invalid parameter "} . s/"(.*)"/$1/r . '"')
	for qw{ type=ftp type= type=HTTP uri= uri=x host= port=0 port=65536
	port=x port= interval=0 interval=x interval= interval=-1s interval=25h
	timeout=0 fall=0 fall=1001 rise=0 rise=-1 status= status=99 status=600
	status=300-200 match= mandatory=1 mandator unknown
	unknown=1 url=/ }, 'status=200,', '"uri=/a b"', '"host=a b"';

bad('mon_check match="";', 'invalid parameter "match=""');
bad('mon_check "uri=/' . "\t" . '";', 'invalid parameter "uri=/');
bad('mon_check match=' . 'x' x 1025 . ';', 'invalid parameter "match=xxx');
bad('mon_check match="two words";', 'no closing quote in "match="two"');
bad('mon_check type=grpc host=' . 'x' x 256 . ';', 'is too long');

bad('mon_check fall=2 fall=3;', 'duplicate parameter "fall=3"');
bad('mon_check mandatory mandatory;', 'duplicate parameter "mandatory"');
bad('mon_check; mon_check;', '"mon_check" directive is duplicate');

for my $type (qw/ tcp tls grpc /) {
	bad("mon_check type=$type $_;",
	    qq{parameter "$_" does not apply to checks of this type})
		for qw{ uri=/x status=200 match=x };
}

bad('mon_check host=x type=tcp;',
    'parameter "host=x" does not apply to checks of this type');

bad('mon_check;', '"mon_check" has no place for its state, add '
    . '"mon_zone mon 16m;" to the "http" block', zone => '');

my ($code, $out) = $t->test_config(<<'EOC');
mon_zone mon 4m;
server {
    mon_check;
}
EOC

isnt($code, 0, 'refused in a server');
like($out, qr/"mon_check" directive is not allowed here/, 'not allowed');

SKIP: {
	skip 'nginx has no SSL', 1
		if $t->command(NgxMon::binary(), '-V') !~ /http_ssl_module/;

	good('mon_check type=tls host=a.test;');
}

done_testing();
