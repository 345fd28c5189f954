// @ts-check
// Finds a Chromium for the browser tests, and says how to start it with WebGPU on SwiftShader.
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** The environment variable that names another Chromium. */
export const chromiumVariable = 'DAWNRANK_CHROMIUM'

const names = [
  'chromium',
  'chromium-browser',
  'google-chrome',
  'google-chrome-stable',
  'chrome.exe',
]
const places = [
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
]

/**
 * The program file of a Chromium or Chrome; undefined where there is none.
 * @returns {string | undefined}
 */
export function findChromium() {
  const named = process.env[chromiumVariable]
  if (named) return existsSync(named) ? named : undefined
  const folders = (process.env.PATH ?? '').split(delimiter)
  const candidates = names.flatMap((name) => folders.map((folder) => join(folder, name)))
  return [...candidates, ...places].find((file) => existsSync(file))
}

/** How playwright-core starts it: headless, WebGPU on SwiftShader, no traffic of its own. */
export const chromiumLaunch = {
  ignoreDefaultArgs: ['--disable-gpu'],
  args: [
    '--headless=new',
    '--no-sandbox',
    '--enable-unsafe-webgpu',
    '--use-webgpu-adapter=swiftshader',
    '--enable-features=Vulkan',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
}

/**
 * The environment for it. A Vulkan driver chosen for other programs would hide SwiftShader.
 * @returns {Record<string, string>}
 */
export function chromiumEnvironment() {
  const { VK_DRIVER_FILES: _, ...rest } = process.env
  return /** @type {Record<string, string>} */ (rest)
}
