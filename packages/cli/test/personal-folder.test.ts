import { describe, expect, it } from 'vitest'
import { personalFolder } from '../src/session/personal-folder.ts'

type Case = [what: string, env: Record<string, string>, platform: NodeJS.Platform, folder: string]

const home = '/users/ada'
const cases: Case[] = [
  ['on Linux', {}, 'linux', '/users/ada/.local/share/countersign'],
  ['where XDG says', { XDG_DATA_HOME: '/xdg' }, 'linux', '/xdg/countersign'],
  [
    'on Linux, where XDG says nothing absolute',
    { XDG_DATA_HOME: 'xdg' },
    'linux',
    '/users/ada/.local/share/countersign',
  ],
  ['on macOS', { XDG_DATA_HOME: '/xdg' }, 'darwin', '/users/ada/Library/Application Support/countersign'],
  ['on Windows', { APPDATA: '/users/ada/Roaming' }, 'win32', '/users/ada/Roaming/countersign'],
  ['on Windows without APPDATA', {}, 'win32', '/users/ada/AppData/Roaming/countersign'],
  ['where COUNTERSIGN_HOME says', { COUNTERSIGN_HOME: '/mine', XDG_DATA_HOME: '/xdg' }, 'linux', '/mine'],
  ['as usual with an empty COUNTERSIGN_HOME', { COUNTERSIGN_HOME: '' }, 'linux', '/users/ada/.local/share/countersign'],
]

describe('the personal folder', () => {
  it.each(cases)('is %s', (_what, env, platform, folder) => {
    expect(personalFolder(env, platform, home)).toBe(folder)
  })

  it('is no path from wherever one stands', () => {
    expect(() => personalFolder({ COUNTERSIGN_HOME: 'mine' })).toThrow('absolute')
  })
})
