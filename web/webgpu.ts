/** Whether this browser can run the engine, and what to do where it cannot. */

export interface Lack {
  readonly why: string
  readonly steps: readonly string[]
}

const update: readonly (readonly [browser: RegExp, step: string])[] = [
  [
    /Firefox\//,
    'Firefox has WebGPU on Windows from version 141 and on Macs with Apple silicon from 145. Elsewhere it may be off: set dom.webgpu.enabled to true in about:config, or use Chrome or Edge.',
  ],
  [/iPhone|iPad/, 'Update to iOS or iPadOS 26 or later: Safari has WebGPU from there on.'],
  [/Android/, 'Use Chrome 121 or later on Android 12 or later.'],
  [
    /Chrome\//,
    'Update the browser: Chrome and Edge have WebGPU from version 113 on Windows, macOS and ChromeOS.',
  ],
  [/Safari\//, 'Update to Safari 26 or later, or use Chrome or Edge 113 or later.'],
]

const accelerate = {
  chromium: [
    'Turn on hardware acceleration in the settings under System, and restart the browser.',
    'Update the graphics driver. chrome://gpu says why WebGPU is off.',
  ],
  firefox: [
    'Turn on hardware acceleration in the settings under Performance, and update the graphics driver.',
    'about:support says why WebGPU is off. To try a driver that Firefox blocks, set gfx.webgpu.ignore-blocklist to true in about:config.',
  ],
}
const linux =
  'On Linux, WebGPU may be off: set chrome://flags/#enable-unsafe-webgpu and chrome://flags/#enable-vulkan to Enabled and restart.'

/**
 * What this browser lacks; `undefined` where there is an adapter.
 *
 * @param agent the browser, as it names itself
 */
export async function findLack(
  gpu: GPU | undefined = navigator.gpu,
  agent: string = navigator.userAgent,
  isSecure: boolean = globalThis.isSecureContext,
): Promise<Lack | undefined> {
  const isFirefox = /Firefox\//.test(agent)
  const ofSystem = /Linux/.test(agent) && !/Android/.test(agent) && !isFirefox ? [linux] : []
  if (!isSecure) {
    return {
      why: 'Browsers offer WebGPU only to pages that are served by HTTPS or from this computer.',
      steps: ['Open this page by an address that begins with https:// or http://localhost.'],
    }
  }
  if (!gpu) {
    const step = update.find(([browser]) => browser.test(agent))?.[1]
    return {
      why: 'The model runs on WebGPU, which this browser does not offer.',
      steps: [step ?? 'Use Chrome or Edge 113 or later, or Safari 26 or later.', ...ofSystem],
    }
  }
  if (await gpu.requestAdapter().catch(() => null)) return undefined
  return {
    why: 'This browser has WebGPU, but found no graphics adapter for it.',
    steps: [...accelerate[isFirefox ? 'firefox' : 'chromium'], ...ofSystem],
  }
}
