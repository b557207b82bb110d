import type { KeyRingDocument } from '../document.ts'
import type { KeyRingStore } from '../ports.ts'

/** Key rings in this process's memory, for tests: what is stored is a copy, and every replacement calls `onChange` back. */
export function memoryKeyRingStore(): KeyRingStore {
  const rings = new Map<string, KeyRingDocument>()
  const watchers = new Set<() => void>()
  return {
    async read(name) {
      return structuredClone(rings.get(name))
    },
    async replace(document) {
      if ((rings.get(document.name)?.version ?? 0) !== document.version - 1) return false
      rings.set(document.name, structuredClone(document))
      for (const call of watchers) queueMicrotask(call)
      return true
    },
    onChange(call) {
      // One function may be registered twice: each registration is stopped by its own result.
      const watcher = (): void => call()
      watchers.add(watcher)
      return () => void watchers.delete(watcher)
    },
  }
}
