#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# What the pages show works: configurations load, the one of the README runs,
# and Prometheus understands the queries and rules.

use NgxMon;

use FindBin;

my $top = "$FindBin::Bin/../..";
my %pages = map { m{([^/]+)$}; ($1, page($_)) }
	"$top/README.md", glob "$top/docs/*.md";

for my $name (sort keys %pages) {
	for my $block (blocks($name, 'nginx')) {
		my $t = NgxMon->new();
		my ($code, $out) = $t->test_config(inside($t, $block));

		is($code, 0, "$name: configuration") or diag("$block\n$out");
	}
}

my $t = NgxMon->new();
my ($readme) = blocks('README.md', 'nginx');

$t->conf(inside($t, $readme))->run();

like($t->get('/health')->{body}, qr/"status":"healthy"/, 'README: health');
ok($t->metrics()->get('nginx_workers'), 'README: metrics');

my ($rules) = grep { /^groups:/ } blocks('monitoring.md', 'yaml');
my $n = 0;

$t->write_file('rules.yml', $rules);
$t->write_file('queries.yml', "groups:\n- name: queries\n  rules:\n"
	. join '', map { $n++; "  - record: q$n\n    expr: |\n" . s/^/      /gmr }
	blocks('monitoring.md', 'promql'));

for my $file (qw/ rules queries /) {
	my $out = $t->command('promtool', 'check', 'rules',
			      $t->dir() . "/$file.yml");

	is($?, 0, "monitoring.md: $file") or diag($out);
}

cmp_ok($n, '>', 10, 'queries were looked at');

done_testing();


sub page {
	open my $fh, '<', $_[0] or die "can't open $_[0]: $!\n";
	local $/;

	return readline $fh;
}


sub blocks {
	my ($name, $kind) = @_;

	return $pages{$name} =~ /^```$kind\n(.*?)^```$/gms;
}


# what stands in http {}, on this test's ports

sub inside {
	my ($t, $block) = @_;

	$block =~ s/^http \{\n(.*)^\}$/<$1>/ms;
	$block = $1 if $block =~ /<(.*)>/s;
	$block =~ s/listen\s+(?:[\d.]+:)?(\d+);/
		'listen 127.0.0.1:' . $t->port($1 == 80 ? 8080 : $1) . ';'/gex;

	if ($block =~ /^location/m) {
		$block = 'server { listen 127.0.0.1:%%PORT_8080%%; '
			. "$block }";
	}

	return $block =~ /mon_zone/ ? $block : "mon_zone mon 4m; $block";
}
