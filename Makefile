
# Copyright (C) The ngx_mon authors

SANITIZE =	0
WERROR =	1
CFLAGS =

# another nginx than Debian's: its source tree, and options of its configure
# where the tree brings no file conf_flags
NGINX_SRC =	/usr/share/nginx/src
NGX_FLAGS =	--with-compat --with-threads --with-http_ssl_module \
		--with-http_v2_module --with-http_stub_status_module \
		--with-http_realip_module --with-http_auth_request_module \
		--with-http_slice_module

ifeq ($(SANITIZE),0)
BUILD =		build
else
BUILD =		build/sanitize
endif

NGINX =		$(or $(shell command -v nginx),/usr/sbin/nginx)
JOBS =		$(shell expr $$(nproc) + 1)
TESTS =		t

# of make install, a folder to install below
DESTDIR =

# of make run
PORT ?=		8080

# DEPS=no: never install packages
DEPS =		yes

export SANITIZE WERROR CFLAGS NGINX_SRC NGX_FLAGS

unexport MAKEFLAGS MFLAGS


.PHONY: all module unit run test lint docs bench fuzz matrix install \
	uninstall clean deps-build deps-run deps-test deps-lint deps-bench \
	deps-fuzz

all: module

deps-build deps-run deps-test deps-lint deps-bench deps-fuzz: deps-%:
ifeq ($(DEPS),yes)
	@misc/deps $*
	@[ $* != test ] || misc/npm build/npm \
		|| echo "no npm packages: tests that need them are skipped"
endif

module: deps-build
	@misc/build $(BUILD)

unit: deps-test module
	@if [ -f t/unit/Makefile ]; then \
		$(MAKE) -s -C t/unit BUILD=$(abspath $(BUILD))/unit; \
	fi

run: deps-run module
	@NGX_MON_MODULE=$(abspath $(BUILD))/ngx_mon_module.so NGINX=$(NGINX) \
	PORT=$(PORT) exec perl misc/run

test: deps-test module unit
	@NGX_MON_BUILD=$(abspath $(BUILD)) \
	NGX_MON_MODULE=$${NGX_MON_MODULE-$(abspath $(BUILD))/ngx_mon_module.so} \
	prove -j$(JOBS) -r -It/lib $(TESTS)

lint: deps-lint
	@t/lint/run

docs: deps-build
	@misc/metrics-doc > docs/metrics.md.new
	@mv docs/metrics.md.new docs/metrics.md

bench: deps-bench module
	@bench/run

# SECONDS: for each of the targets
fuzz: deps-fuzz module
	@$(MAKE) -s -C t/fuzz run BUILD=$(abspath $(BUILD))/fuzz \
		$(if $(SECONDS),SECONDS=$(SECONDS))

matrix: deps-test
	@misc/matrix

install: module
	@NGINX=$(NGINX) DESTDIR=$(DESTDIR) \
	misc/install install $(BUILD)/ngx_mon_module.so

uninstall:
	@NGINX=$(NGINX) DESTDIR=$(DESTDIR) misc/install uninstall

clean:
	rm -rf build
