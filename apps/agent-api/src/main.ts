#!/usr/bin/env node
import { runService } from '@countersign-apps/kit'
import { readConfig } from './config.ts'
import { startAgentApi } from './start-agent-api.ts'

await runService(async () => startAgentApi(readConfig(process.env)))
