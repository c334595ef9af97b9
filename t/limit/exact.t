#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# What is admitted in ten seconds is burst + rate x time, from a few requests
# a minute up to 20000 a second, whether one worker sees all of them or four
# do.

use NgxMon;
use NgxMon::Saturate qw/ saturate /;

use Time::HiRes qw/ sleep /;

saturate(NgxMon->new(workers => $_), 10, sub { sleep .1 }) for 1, 4;

done_testing();
