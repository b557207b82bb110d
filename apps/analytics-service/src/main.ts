#!/usr/bin/env node
import {
  consumerEnvironment,
  environmentParts,
  readEnvironment,
  runService,
  toStartOptions,
} from '@countersign-apps/kit'
import { startAnalytics } from './start-analytics.ts'

await runService(async () => {
  const read = readEnvironment(
    { ...consumerEnvironment, ANALYTICS_DB: environmentParts.text.default('analytics.db') },
    process.env,
  )
  return startAnalytics({ ...toStartOptions(read), database: read.ANALYTICS_DB })
})
