#!/usr/bin/env node
import { runService } from '@countersign-apps/kit'
import { readConfig } from './config.ts'
import { startCoder } from './start-coder.ts'
import { startStdioCoder } from './start-stdio.ts'

await runService(async () => {
  const { token, ...config } = readConfig(process.env, { stdio: process.argv.includes('--stdio') })
  if (token === undefined) return startCoder(config)
  const running = await startStdioCoder({ ...config, token })
  // The client hung up: there is nobody to serve any more.
  void running.ended.then(() => process.emit('SIGTERM'))
  return running
})
