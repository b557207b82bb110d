#!/usr/bin/env node
import { runService, sayWhy } from '@countersign-apps/kit'
import { addAccount, readAccountWords } from './accounts.ts'
import { readConfig, readStandalone } from './config.ts'
import { startOrchestrator } from './start-orchestrator.ts'
import { openStandaloneAuth, startStandalone } from './start-standalone.ts'
import { startStdioOrchestrator } from './start-stdio.ts'

const [word, ...words] = process.argv.slice(2)

/** `add user|client NAME [SCOPE…]`: accounts of an orchestrator that runs alone. */
async function add(): Promise<void> {
  const account = readAccountWords(words)
  const { dataDir, publicUrl, host, port = 4615 } = readStandalone(process.env)
  const auth = await openStandaloneAuth({ dataDir, issuer: publicUrl ?? `http://${host}:${port}` })
  try {
    process.stdout.write(await addAccount(auth, account, process.stdin))
  } finally {
    await auth.close()
  }
}

if (word === 'add') {
  await add().catch(sayWhy)
} else {
  await runService(async () => {
    const config = readConfig(process.env, { stdio: word === '--stdio' })
    if (config.mode === 'standalone') return startStandalone(config)
    const { token } = config
    if (token === undefined) return startOrchestrator(config)
    const running = await startStdioOrchestrator({ ...config, token })
    // The client hung up: there is nobody to serve any more.
    void running.ended.then(() => process.emit('SIGTERM'))
    return running
  })
}
