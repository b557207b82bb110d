#!/usr/bin/env node

// Checked before anything is loaded: an older Node ends without a word in the database's native part.
const leastNode = [22, 18] as const
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < leastNode[0] || (major === leastNode[0] && minor < leastNode[1])) {
  process.stderr.write(
    `error: countersign needs Node ${leastNode.join('.')} or newer, and this is ${process.version}\n`,
  )
  process.exit(1)
}
const { processIo } = await import('./io.ts')
const { runCountersign } = await import('./program.ts')

// A reader that went away (`countersign keys list | head -1`) is no failure of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})

// Not process.exit(): what was written to a pipe must arrive, and a handle left open is a fault to be seen.
process.exitCode = await runCountersign(process.argv.slice(2), processIo())
