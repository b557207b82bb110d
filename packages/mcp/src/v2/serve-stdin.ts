import type { Readable, Writable } from 'node:stream'
import type { Transport } from '@modelcontextprotocol/server'
import { StdioServerTransport, serveStdio } from '@modelcontextprotocol/server/stdio'
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
  const handle = serveStdio(
    (context) => {
      try {
        const server = factory(context)
        const fitting = fittingOf(core, server, context.era, ({ mcpReq }) => gate.ticket(mcpReq._meta))
        register(fitting, core.registry.declared)
        filterLists(fitting, lists[context.era], capabilities)
        return server
      } catch (cause) {
        core.report?.({ type: 'fault', transport: 'stdio', cause })
        throw cause
      }
    },
    { transport: gate as unknown as Transport },
  )
  return { principal: gate.principal, ended: gate.ended, close: () => handle.close() }
}
