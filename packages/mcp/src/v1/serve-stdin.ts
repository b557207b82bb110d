import type { Readable, Writable } from 'node:stream'
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js'
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import type { Core } from '../core/core.ts'
import { filterLists, register } from '../core/register.ts'
import type { GuardedStdio, StdioOptions } from '../options.ts'
import { StdioGate, type Wire } from '../stdio/gate.ts'
import { fittingOf } from './fit.ts'
import { type Factory, prepare } from './prepare.ts'

export async function serveStdin(core: Core, factory: Factory, options: StdioOptions): Promise<GuardedStdio> {
  const { input = process.stdin, output = process.stdout, token } = options
  core.registry.seal()
  const { capabilities, lists } = await prepare(core, factory)
  const wire = new StdioServerTransport(input as Readable, output as Writable)
  const gate = await StdioGate.open(core, token, wire as Wire)
  // This SDK's transport does not notice that its client is gone.
  const onEnd = (): void => void gate.close()
  input.on('end', onEnd).on('close', onEnd)
  const server = factory()
  const fitting = fittingOf(core, server, ({ _meta }) => gate.ticket(_meta))
  register(fitting, core.registry.declared)
  filterLists(fitting, lists, capabilities)
  await server.connect(gate as unknown as Transport)
  return { principal: gate.principal, ended: gate.ended, close: () => server.close() }
}
