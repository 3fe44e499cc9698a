# The seed's commands, and every command of `npx evenkeel`. Options: make split-shards ARGS="--to 40"
EVENKEEL = node lab/bin/evenkeel.mjs
COMMANDS = experiment verify-stream producer consumer monitor-leases split-shards scale view-distribution \
           export-lease-data cleanup analyze-rebalancing config metrics env up down doctor
PODS     = consumer-pod1 consumer-pod2 consumer-pod3 consumer-pod4 consumer-pod5

.PHONY: help $(COMMANDS) $(PODS)

help:
	@$(EVENKEEL) --help

up experiment: setup

$(COMMANDS):
	@$(EVENKEEL) $@ $(ARGS)

$(PODS): consumer-pod%:
	@$(EVENKEEL) consumer --pod $* $(ARGS)

.PHONY: setup
setup:
	@node tools/setup.mjs
