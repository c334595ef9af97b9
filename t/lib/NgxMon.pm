package NgxMon;

# Copyright (C) The ngx_mon authors

# The test harness: an nginx with the module, in a folder and on ports of its
# own.
#
#     use NgxMon;
#
#     my $t = NgxMon->new();
#
#     $t->conf(<<'EOC');                       # the inside of http {}
#     mon_zone mon 4m;
#     server {
#         listen 127.0.0.1:%%PORT_8080%%;
#         location = /metrics { mon_metrics; }
#     }
#     EOC
#
#     $t->run();
#     is $t->get('/')->{status}, 200, 'answered';
#     is $t->metric('nginx_http_requests_total', location => '/'), 1, 'counted';
#
#     done_testing();
#
# done_testing() stops nginx and adds the tests that every test has: no alert
# in the log, no report of a sanitizer, no descriptor leaked, a clean exit.
#
# The environment: TEST_NGINX_BINARY, NGX_MON_MODULE (empty: built in),
# NGX_MON_WORKERS (1), TEST_NGINX_LEAVE (keeps the folders), NGX_MON_DEBUG
# (the debug log), VALGRIND.

use strict;
use warnings;

use Carp qw/ croak /;
use Cwd qw/ abs_path /;
use File::Basename qw/ dirname /;
use File::Path qw/ make_path remove_tree /;
use File::Temp ();
use Test::More ();
use Time::HiRes ();

use NgxMon::Backend;
use NgxMon::Client;
use NgxMon::Metrics;
use NgxMon::Peer;
use NgxMon::Ports;
use NgxMon::Process qw/ alive children title descriptors end_process poll
	slowness /;

my $lib = dirname(abs_path(__FILE__));
my @all;			# every instance, for the end
my $owner = $$;


sub import {
	my ($class) = @_;

	strict->import();
	warnings->import();

	my $caller = caller;
	my @names = grep { $_ ne 'done_testing' } @Test::More::EXPORT;

	Test::More->export_to_level(1, 'Test::More', @names);

	no strict 'refs';
	*{"${caller}::$_"} = \&$_ for qw/ done_testing wait_for /;

	$ENV{NGX_MON_SANITIZED} = 1 if _sanitizers();

	$SIG{INT} = $SIG{TERM} = $SIG{HUP} = sub { exit 1 };
	$SIG{ALRM} = sub { die "the test takes too long\n" };

	alarm(($ENV{NGX_MON_TIMEOUT} || 120) * slowness());
}


# options: workers; daemon, for upgrade(), which needs nginx to be one

sub new {
	my ($class, %o) = @_;

	my $self = bless {
		workers => $ENV{NGX_MON_WORKERS} || 1,
		%o,
		ports => NgxMon::Ports->new(),
		dir => File::Temp::tempdir('ngx_mon-XXXXXX', TMPDIR => 1),
		masters => [],
		expected => [],
		daemons => [],
		clients => [],
		backends => [],
		problems => [],
	}, $class;

	chmod 0755, $self->{dir};
	push @all, $self;

	return $self;
}


sub binary {
	return $ENV{TEST_NGINX_BINARY} if $ENV{TEST_NGINX_BINARY};

	for (map { "$_/nginx" } split(/:/, $ENV{PATH} // ''), '/usr/sbin') {
		return $_ if -x $_;
	}

	croak 'no nginx: set TEST_NGINX_BINARY';
}


# The path of the module; undef where it is built in.

sub module {
	my $path = $ENV{NGX_MON_MODULE}
		// dirname(dirname($lib)) . '/build/ngx_mon_module.so';

	return if $path eq '';

	return abs_path($path) // croak "no module at $path: run make";
}


# Skips the test where nginx was built without a module: http_v2, stream ...

sub has {
	my ($self, @features) = @_;

	my $built = _output(binary(), '-V');

	for (@features) {
		next if $built =~ /--with-${_}(?:_module)?(?:=dynamic)?\s/;
		Test::More::plan(skip_all => "nginx has no $_");
	}

	return $self;
}


sub dir { $_[0]{dir} }


# The real port that stands for 8080, 8081 ... in this test.

sub port {
	my ($self, $n) = @_;

	return $self->{ports}->port($n // 8080);
}


# Configuration

sub write_file {
	my ($self, $name, $content) = @_;

	my $path = "$self->{dir}/$name";

	make_path(dirname($path));
	open my $fh, '>', $path or croak "can't write $path: $!";
	binmode $fh;
	print $fh $content;
	close $fh or croak "can't write $path: $!";

	return $self;
}


# %%PORT_n%%, %%TESTDIR%%, %%GLOBALS%%, %%EVENTS%%, %%GLOBALS_HTTP%%

sub expand {
	my ($self, $content) = @_;

	my %globals = (
		TESTDIR => $self->{dir},
		GLOBALS => $self->_globals(),
		EVENTS => $ENV{VALGRIND} ? 'worker_connections 256;'
					 : 'worker_connections 1024;',
		GLOBALS_HTTP => _globals_http(),
	);

	$content =~ s/%%PORT_(\w+)%%/$self->port($1)/ge;
	$content =~ s/%%(\w+)%%/$globals{$1} \/\/ croak "no $1"/ge;

	return $content;
}


sub write_file_expand {
	my ($self, $name, $content) = @_;

	return $self->write_file($name, $self->expand($content));
}


# Writes nginx.conf with this inside of http {}.  options: main and events,
# more directives there; workers

sub conf {
	my ($self, $http, %o) = @_;

	$self->{workers} = $o{workers} if $o{workers};

	my $main = $o{main} // '';
	my $events = $o{events} // '';

	return $self->write_file_expand('nginx.conf', <<"EOC");
%%GLOBALS%%
$main
events {
%%EVENTS%%
$events
}

http {
%%GLOBALS_HTTP%%
$http
}
EOC
}


sub _globals {
	my ($self) = @_;

	my $level = $ENV{NGX_MON_DEBUG} ? 'debug' : 'info';
	my $module = module();
	my %environment = $self->_environment();

	return join "\n",
		$module ? "load_module $module;" : (),
		$> == 0 ? 'user root root;' : (),
		map({ "env $_;" } sort keys %environment),
		'daemon ' . ($self->{daemon} ? 'on;' : 'off;'),
		"worker_processes $self->{workers};",
		'pid nginx.pid;',
		"error_log error.log $level;";
}


sub _globals_http {
	return join "\n", 'access_log off;',
		map { "${_}_temp_path temp/$_;" }
		qw/ client_body proxy fastcgi uwsgi scgi /;
}


# Judges a configuration as "nginx -t" does.  Returns its exit code, 0 for a
# good one, and what it said.

sub test_config {
	my ($self, $http, %o) = @_;

	$self->conf($http, %o);
	make_path("$self->{dir}/temp");

	local $ENV{NGINX};
	local %ENV = (%ENV, $self->_environment());

	my $out = _output(binary(), '-t', '-p', "$self->{dir}/",
			  '-c', 'nginx.conf', '-e', 'test.log');

	return ($? >> 8 || $? & 127, $out);
}


# nginx

# Starts nginx and waits until all of its workers work.

sub run {
	my ($self) = @_;

	$self->try_run() or croak "nginx does not start:\n"
		. join '', $self->_log_of('stdout.log'),
		$self->_log_of('error.log');

	return $self;
}


# The same, for a start that may fail: true when nginx runs.

sub try_run {
	my ($self) = @_;

	my $dir = $self->{dir};

	make_path("$dir/temp");
	unlink "$dir/nginx.pid";

	my $pid = NgxMon::Process::start("$dir/stdout.log", $dir,
		{ $self->_environment() }, $self->_valgrind(), binary(),
		'-p', "$dir/", '-c', 'nginx.conf', '-e', 'error.log');

	if ($self->{daemon}) {
		poll(20, sub { !alive($pid) });
		($pid) = $self->read_file('nginx.pid') =~ /(\d+)/;

		return unless $pid;
	}

	push @{ $self->{masters} }, $pid;

	my $ready = poll(20, sub {
		!alive($pid) || $self->_ready($pid);
	});

	return $pid if $ready && alive($pid);

	$self->{masters} = [];
	end_process($pid, 5, 'TERM', 'KILL');

	return;
}


sub _ready {
	my ($self, $pid) = @_;

	return unless -s "$self->{dir}/nginx.pid";

	my $conf = $self->read_file('nginx.conf');

	return 1 if $conf =~ /^\s*master_process\s+off;/m;

	my ($n) = $conf =~ /^\s*worker_processes\s+(\w+);/m;

	$n = 1 if !$n || $n eq 'auto';

	return $self->workers($pid) >= $n;
}


sub _environment {
	my ($self) = @_;

	my $log = "log_path=$self->{dir}/sanitizer";
	my $libs = _sanitizers();

	return unless $libs;

	return (
		LD_PRELOAD => $libs,
		ASAN_OPTIONS => "detect_leaks=0:detect_odr_violation=0:"
			. "abort_on_error=1:$log",
		UBSAN_OPTIONS => "print_stacktrace=1:$log",
	);
}


# the runtime libraries of a module built with SANITIZE=1

sub _sanitizers {
	my $module = module() // binary();

	return '' unless -e $module;

	my @libs = _output('ldd', $module) =~ m{(/\S*/lib(?:a|ub)san\.so\S*)}g;

	return @libs ? join ':', @libs : '';
}


sub _valgrind {
	my ($self) = @_;

	return unless $ENV{VALGRIND};

	return ('valgrind', '-q', '--trace-children=yes',
		'--leak-check=full', '--show-leak-kinds=definite',
		"--suppressions=$lib/valgrind.supp",
		"--log-file=$self->{dir}/valgrind.%p");
}


sub pid {
	my ($self) = @_;

	return $self->{masters}[-1];
}


# The workers that work; with shutting => 1 those that drain.

sub workers {
	my ($self, $master, %o) = @_;

	$master //= $self->pid() // return;

	return $self->_logged_workers($master, $o{shutting})
		if $ENV{VALGRIND};

	my $title = $o{shutting} ? qr/worker process is shutting/
				 : qr/worker process$/;

	return grep { title($_) =~ $title } children($master);
}


# The same by the log: below valgrind processes can't set their titles.

sub _logged_workers {
	my ($self, $master, $shutting) = @_;

	my $log = $self->read_file('error.log');
	my %started = map { $_ => 1 } $log =~ /start worker process (\d+)/g;
	my %draining = map { $_ => 1 }
		$log =~ /(\d+)#\d+: gracefully shutting down/g;

	return grep { $started{$_} && !$draining{$_} == !$shutting }
		children($master);
}


# Reloads the configuration; returns when the old workers take no more
# connections and the new ones do.

sub reload {
	my ($self) = @_;

	my %old = map { $_ => 1 } $self->workers();
	my $failures = () = $self->read_file('error.log') =~ /\[emerg\]/g;

	kill 'HUP', $self->pid();

	my $done = poll(20, sub {
		my @now = $self->workers();
		my $new = grep { !$old{$_} } @now;
		my $failed = () = $self->read_file('error.log')
			=~ /\[emerg\]/g;

		die "reload failed:\n" . $self->_log_of('error.log')
			if $failed > $failures;

		return $new && $new == @now && $new >= $self->_configured();
	});

	croak 'reload: no new workers' unless $done;

	return $self;
}


sub _configured {
	my ($self) = @_;

	my ($n) = $self->read_file('nginx.conf')
		=~ /^\s*worker_processes\s+(\d+);/m;

	return $n // 1;
}


# Kills a worker; returns when another has taken its place.

sub kill_worker {
	my ($self, $pid, $signal) = @_;

	$pid //= ($self->workers())[0];
	$signal //= 'KILL';

	my $n = $self->workers();

	$self->expect(qr/worker process $pid exited on signal/);
	kill $signal, $pid;

	poll(20, sub { !alive($pid) && $self->workers() >= $n })
		or croak "no worker in the place of $pid";

	return $pid;
}


# Upgrades the binary: returns when the new master's workers work.  Both serve
# then; quit(pid) ends one of them.  Needs new(daemon => 1).

sub upgrade {
	my ($self) = @_;

	my $old = $self->pid();
	my $file = "$self->{dir}/nginx.pid";

	kill 'USR2', $old;

	my $new = poll(20, sub {
		return unless -s "$file.oldbin" && -s $file;

		my ($pid) = $self->read_file('nginx.pid') =~ /(\d+)/;

		return $pid != $old && $self->workers($pid) && $pid;
	}) or croak 'no new master';

	push @{ $self->{masters} }, $new;

	return ($old, $new);
}


# Ends a master gracefully, and waits for its end.

sub quit {
	my ($self, $pid) = @_;

	$self->{masters} = [ grep { $_ != $pid } @{ $self->{masters} } ];
	$self->_end($pid);
}


# Ends nginx gracefully; what went wrong is told by done_testing().

sub stop {
	my ($self) = @_;

	$self->_close_clients();

	my @masters = splice @{ $self->{masters} };

	$self->_leaks($_) for @masters;
	$self->_end($_) for reverse @masters;

	return $self;
}


sub _end {
	my ($self, $pid) = @_;

	if (!alive($pid)) {
		$self->_problem("nginx $pid is gone");

	} elsif (end_process($pid, 10, 'QUIT') ne 'QUIT') {
		$self->_problem("nginx $pid does not quit: workers "
			. join ' ', children($pid));
		my @workers = children($pid);
		end_process($pid, 3, 'TERM', 'KILL');
		end_process($_, 1, 'KILL') for @workers;
	}

	my $status = NgxMon::Process::exit_status($pid);

	$self->_problem("nginx exited with status $status") if $status;
}


# A file, but for logs and temporary files, that a worker has open twice.

sub _leaks {
	my ($self, $master) = @_;

	return if $ENV{VALGRIND};		# which has files of its own

	for my $pid ($self->workers($master)) {
		my %fds = descriptors($pid);
		my %count;

		$count{$_}++ for grep { m{^/(?!dev/)} && !/\.log$/
					&& !m{valgrind} } values %fds;

		$self->_problem("worker $pid has $_ open $count{$_} times")
			for grep { $count{$_} > 1 } sort keys %count;
	}
}


sub _problem {
	my ($self, $text) = @_;

	push @{ $self->{problems} }, $text;
}


# Requests

# A connection: see NgxMon::Client.  options: port (8080), local, timeout

sub client {
	my ($self, %o) = @_;

	my $client = NgxMon::Client->new(%o, port => $self->port($o{port}));

	push @{ $self->{clients} }, $client;

	return $client;
}


# One request on a connection of its own.  nginx closes it after it has counted
# the request, and that is waited for: the next scrape has it, whoever serves.

sub request {
	my ($self, $method, $uri, %o) = @_;

	my $client = $self->client(%o);
	my $response = $client->request($method, $uri, close => 1, %o);

	$client->closed() if !$response->{error} && !exists $o{close};
	$client->close();

	return $response;
}


sub get {
	my ($self, $uri, %o) = @_;

	return $self->request('GET', $uri, %o);
}


# Sends these bytes, reads until nginx closes: all that it sent.

sub http {
	my ($self, $bytes, %o) = @_;

	my $client = $self->client(%o);

	$client->send($bytes);

	my $answer = $client->read_all();

	$client->close();

	return $answer;
}


# Runs a program to its end; returns its output, and $? is its status.

sub command {
	my ($self, @command) = @_;

	return _output(@command);
}


sub curl {
	my ($self, @args) = @_;

	return _output('curl', '-sk', '--max-time', 30 * slowness(),
		       map { $self->expand($_) } @args);
}


sub _close_clients {
	my ($self) = @_;

	$_->close() for splice @{ $self->{clients} };
}


# Metrics

# A scrape: see NgxMon::Metrics.  options: uri (/metrics), port

sub metrics {
	my ($self, %o) = @_;

	my $response = $self->get($o{uri} // '/metrics', %o,
				  headers => [Accept => 'text/plain']);

	croak "no metrics: status $response->{status} $response->{error}"
		if $response->{status} != 200 || $response->{error};

	return NgxMon::Metrics->parse($response->{body});
}


# The sum of the samples of a fresh scrape with that name and these labels.

sub metric {
	my ($self, $name, %labels) = @_;

	return $self->metrics()->get($name, %labels);
}


# Waits for code to return true, which is returned; else a test fails.

sub wait_for {
	my ($code, $timeout, $what) = @_;

	my $result = poll($timeout // 10, $code);

	Test::More::fail('timed out: ' . ($what // 'a condition'))
		unless $result;

	return $result;
}


# Waits for a metric to have the value.

sub wait_metric {
	my ($self, $value, $name, %labels) = @_;

	my $last;

	return 1 if poll(10, sub {
		$last = eval { $self->metric($name, %labels) };
		defined $last && $last == $value
	});

	Test::More::fail("$name is " . ($last // 'not there') . ", not $value");
	return 0;
}


# Other servers

# A backend: see NgxMon::Backend.

sub backend {
	my ($self, $port, %o) = @_;

	my $backend = NgxMon::Backend->new(%o, dir => $self->{dir},
					   port => $self->port($port));

	push @{ $self->{backends} }, $backend;

	return $backend;
}


# A backend that is a piece of code: see NgxMon::Peer.  options: addr, or path
# of a unix socket, and then the port says nothing

sub peer {
	my ($self, $port, $code, %o) = @_;

	my $peer = NgxMon::Peer->new(addr => '127.0.0.1', %o, code => $code,
		dir => $self->{dir},
		port => defined $o{path} ? undef : $self->port($port));

	push @{ $self->{backends} }, $peer;

	return $peer;
}


# A port where connecting takes for ever.

sub blackhole {
	my ($self, $port) = @_;

	push @{ $self->{holes} }, NgxMon::Backend->blackhole($self->port($port));
}


# A name server on that port: backend.test has the addresses in the file addrs.

sub dns {
	my ($self, $port) = @_;

	return $self->daemon([$^X, "$lib/dns.pl", $self->port($port)]);
}


# Starts a program that ends with the test; returns when the port, where one
# is given, accepts.  Output goes to <name>.out.

sub daemon {
	my ($self, $command, %o) = @_;

	my @command = map { $self->expand($_) } @$command;
	my ($name) = $command[0] =~ m{([^/]+)$};
	my $pid = NgxMon::Process::start("$self->{dir}/$name.out",
					 $self->{dir}, {}, @command);

	push @{ $self->{daemons} }, $pid;

	if (defined $o{port}) {
		my $port = $self->port($o{port});
		my $ok = poll(30, sub {
			croak "$name died: " . $self->_log_of("$name.out")
				unless alive($pid);

			return IO::Socket::INET->new(Proto => 'tcp',
				PeerAddr => '127.0.0.1', PeerPort => $port);
		});

		croak "$name does not listen on port $port" unless $ok;
	}

	return $pid;
}


sub stop_daemons {
	my ($self) = @_;

	$_->stop() for splice @{ $self->{backends} };
	end_process($_, 10, 'TERM', 'KILL') for splice @{ $self->{daemons} };
	delete $self->{holes};
}


# Logs

sub read_file {
	my ($self, $name) = @_;

	open my $fh, '<', "$self->{dir}/$name" or return '';
	binmode $fh;
	local $/;

	return readline($fh) // '';
}


# The lines of the error log, or of another file, that match.

sub log_lines {
	my ($self, $pattern, $name) = @_;

	return grep { /$pattern/ }
		split /\n/, $self->read_file($name // 'error.log');
}


# Log lines of the levels alert, crit and emerg that match are no failure.

sub expect {
	my ($self, $pattern) = @_;

	push @{ $self->{expected} }, $pattern;

	return $self;
}


sub _log_of {
	my ($self, $name) = @_;

	my @lines = split /^/, $self->read_file($name);

	splice @lines, 0, @lines - 30 if @lines > 30;

	return join '', @lines;
}


# The end

sub _alerts {
	my ($self) = @_;

	my @lines = map { $self->log_lines(qr/\[(?:alert|crit|emerg)\]/, $_) }
		$self->_files('*error*.log');

	for my $pattern (@{ $self->{expected} }) {
		@lines = grep { !/$pattern/ } @lines;
	}

	return @lines;
}


sub _reports {
	my ($self) = @_;

	my @reports = grep { -s "$self->{dir}/$_" }
		$self->_files('sanitizer.*'), $self->_files('valgrind.*');
	my @lines = map { $self->log_lines(
		qr/AddressSanitizer|runtime error:/, $_) }
		'error.log', 'stdout.log';

	# what nginx allocates once and leaves to the system is no leak of ours

	return @lines, grep { !/definitely lost/ || /ngx_(?:http_)?mon/ }
		map { split /^==\d+== \n/m, $self->read_file($_) } @reports;
}


sub _files {
	my ($self, $pattern) = @_;

	return map { s{^.*/}{}r } glob "$self->{dir}/$pattern";
}


# All that is wrong: a list of texts, empty for a clean run.

sub finish {
	my ($self) = @_;

	return if $self->{finished}++;

	$self->stop();
	$self->stop_daemons();

	my @wrong = (@{ $self->{problems} }, $self->_alerts(),
		     $self->_reports());

	if ($ENV{TEST_NGINX_LEAVE}) {
		Test::More::diag("kept $self->{dir}");
	} else {
		remove_tree($self->{dir}, { safe => 0 });
	}

	return @wrong;
}


sub done_testing {
	my @wrong = map { $_->finish() } @all;

	Test::More::ok(!@wrong, 'nothing wrong with nginx')
		or Test::More::diag(join "\n", @wrong);

	Test::More::done_testing(@_);
}


sub _output {
	my (@command) = @_;

	my $pid = open(my $fh, '-|') // croak "can't fork: $!";

	if ($pid == 0) {
		open STDERR, '>&', \*STDOUT;
		open STDIN, '<', '/dev/null';
		$SIG{$_} = 'DEFAULT' for qw/ INT TERM PIPE CHLD /;
		{ no warnings; exec { $command[0] } @command; }
		print "can't execute $command[0]: $!\n";
		POSIX::_exit(127);
	}

	local $/;
	my $out = readline $fh;

	close $fh;

	return $out // '';
}


# a test that died before done_testing()

END {
	if ($$ == $owner) {
		my $status = $?;

		alarm 0;

		my @wrong = map { $_->finish() } @all;

		Test::More::diag(join "\n", @wrong) if @wrong;

		$? = $status || (@wrong ? 1 : 0);
	}
}


1;
