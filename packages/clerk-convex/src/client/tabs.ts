/** The other tabs of this origin. */
export interface Tabs {
  /** Tells them that a session was signed out of. */
  tell(session: string): void
  /** Calls back with each session that another tab tells of; the returned function ends that, and the telling. */
  listen(call: (session: string) => void): () => void
}

const channelName = 'countersign.clerk-convex.signed-out'

/** By a `BroadcastChannel`, which reaches this origin's pages alone; nothing where there is none, or no page. */
export function browserTabs(): Tabs {
  const isPage = 'document' in globalThis && typeof BroadcastChannel === 'function'
  return isPage ? channelTabs(new BroadcastChannel(channelName)) : { tell() {}, listen: () => () => {} }
}

export function channelTabs(channel: BroadcastChannel): Tabs {
  return {
    tell: (session) => channel.postMessage({ session }),
    listen(call) {
      channel.onmessage = ({ data }: MessageEvent<unknown>) => {
        if (typeof data !== 'object' || data === null || !('session' in data)) return
        if (typeof data.session === 'string') call(data.session)
      }
      return () => channel.close()
    },
  }
}
