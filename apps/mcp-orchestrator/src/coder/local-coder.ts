import { type OpenTools, WorkspaceFault } from '@countersign-apps/mcp-coder'
import { type Coder, outcomeOf } from './coder.ts'

/** The coder's tools in this process: nothing is sent, so no token is needed; what a step needs is held all the same. */
export function createLocalCoder(opened: OpenTools): Coder {
  const tools = new Map(opened.tools.map((tool) => [tool.name, tool]))
  return {
    begin({ principal: { issuer, subject }, signal, onProgress }) {
      return {
        async run({ tool: name, args }) {
          const tool = tools.get(name)
          if (tool === undefined) return { ok: false, error: `no_tool: There is no ${name} here.` }
          try {
            const answer = await tool.run(args, { owner: { issuer, subject }, signal, onProgress })
            signal.throwIfAborted()
            return outcomeOf(name, answer)
          } catch (error) {
            if (!(error instanceof WorkspaceFault)) throw error
            return { ok: false, error: `${error.reason}: ${error.message}` }
          }
        },
        close: async () => undefined,
      }
    },
    close: () => opened.close(),
  }
}
