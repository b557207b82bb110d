import { closeSync, readSync } from 'node:fs'
import { ConfigError } from '@countersign-apps/kit'
import { descriptorVariable } from './leave-environment.ts'

const mostBytes = 8_192

/**
 * The password of the file descriptor that the environment names, which is read to its end and closed.
 * @returns undefined if none is named
 * @throws ConfigError
 */
export function takePassword(variables: NodeJS.ProcessEnv): string | undefined {
  const named = variables[descriptorVariable]
  delete variables[descriptorVariable]
  if (named === undefined || named === '') return undefined
  if (!/^(?:0|[3-9]|\d{2,4})$/.test(named)) {
    throw new ConfigError([`${descriptorVariable}: expected the number of a file descriptor, 0 or from 3 on`])
  }
  const text = readAll(Number(named))
  // What writes a line ends it; the password itself may begin and end with anything.
  return text.endsWith('\n') ? text.slice(0, -1) : text
}

function readAll(descriptor: number): string {
  const bytes = Buffer.alloc(mostBytes + 1)
  let size = 0
  try {
    for (;;) {
      const read = readSync(descriptor, bytes, size, bytes.length - size, null)
      if (read === 0) break
      size += read
    }
    if (size > mostBytes) throw new ConfigError([`${descriptorVariable}: more than ${mostBytes} bytes`])
    return bytes.toString('utf8', 0, size)
  } catch (error) {
    if (error instanceof ConfigError) throw error
    throw new ConfigError([`${descriptorVariable}: descriptor ${descriptor} cannot be read`])
  } finally {
    bytes.fill(0)
    try {
      closeSync(descriptor)
    } catch {
      // It was not open.
    }
  }
}
