#!/usr/bin/env node
import { leaveEnvironment } from './password/leave-environment.ts'

// Before anything else is loaded: the sooner the password is out of the environment, and the less is done twice.
leaveEnvironment(process.env)
const { run } = await import('./cli.ts')
await run(process.argv.slice(2), process.env)
