#!/usr/bin/env node
import { environmentParts, readEnvironment, runService } from '@countersign-apps/kit'
import { startStand } from './stand/start-stand.ts'

// Whoever started it with a channel, and is gone, cannot end it any more.
process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'))
process.channel?.unref()

await runService(async () => {
  const { PORT: port } = readEnvironment({ PORT: environmentParts.port.default(4624) }, process.env)
  const stand = await startStand({ port })
  console.log(`runboard: ${stand.url}

  Clerk and Convex are stand-ins here, on this machine, and everything is forgotten at the end:
    Clerk   ${stand.clerk.issuer}
    Convex  ${stand.convex.url}, its HTTP actions ${stand.convex.siteUrl}
  ada@example.com is an admin of Acme and a member of Globex, mia@example.com a member of Acme, bob@example.com an
  admin of Globex. Nobody has a password.

  Ctrl-C ends it.`)
  return stand
})
