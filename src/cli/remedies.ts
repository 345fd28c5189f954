/** What machine this is, as far as the advice depends on it. */
export interface System {
  /** Node's name of the platform, such as `linux`. */
  readonly platform: string
  /** The distribution's id in /etc/os-release, such as `debian`, and those it is like. */
  readonly distributions: readonly string[]
  /** The release's code name, such as `bookworm`. */
  readonly codename: string
}

/** Advice for a machine whose npm `webgpu` package does not load. */
export const noPackage = (): string[] => [
  'Run "npm install" (or "npm ci" in a clone) again and look for errors about the package "webgpu".',
  'It has programs for Linux with glibc (x64, arm64), macOS and Windows (x64, arm64); elsewhere, use Deno, which has WebGPU built in.',
]

/** Advice for a machine on which WebGPU finds no adapter. */
export function noAdapter(system: System): string[] {
  if (system.platform === 'darwin') {
    return ['WebGPU runs on Metal here. A virtual machine needs a graphics device that offers it.']
  }
  if (system.platform === 'win32') {
    return [
      'WebGPU runs on Direct3D 12 here: update the graphics driver. A virtual machine needs a graphics device that offers it.',
    ]
  }
  return [
    "With an NVIDIA GPU: install NVIDIA's driver with its Vulkan part. In a container, NVIDIA_DRIVER_CAPABILITIES must have graphics (or be all).",
    'With an AMD or Intel GPU: install Mesa\'s Vulkan driver (below), and let the user open /dev/dri/renderD* (group "render").',
    ...softwareAdapter(system),
    'Then run "dawnrank doctor" again; "vulkaninfo --summary" (package vulkan-tools) shows what Vulkan offers.',
  ]
}

/** How Mesa's Vulkan drivers, among them the software adapter lavapipe, are installed on a Linux. */
function softwareAdapter({ distributions, codename }: System): string[] {
  const without = 'Without a GPU: install the software adapter (Mesa lavapipe, runs on the CPU)'
  const packages = 'mesa-vulkan-drivers libvulkan1'
  const is = (name: string) => distributions.includes(name)
  if (codename === 'bookworm') {
    return [
      `${without}. Debian 12's own Mesa is too old; bookworm-backports has a newer one.`,
      'In a clone of dawnrank, "npm start" as root does this by itself. By hand:',
      '  add the suite bookworm-backports, component main, to the apt sources',
      `  apt-get update && apt-get install -t bookworm-backports ${packages}`,
    ]
  }
  if (is('debian') || is('ubuntu')) {
    return [
      `${without}. In a clone of dawnrank, "npm start" as root does this by itself. By hand:`,
      `  apt-get update && apt-get install ${packages}`,
    ]
  }
  if (is('fedora') || is('rhel')) {
    return [`${without}:`, '  dnf install mesa-vulkan-drivers vulkan-loader']
  }
  if (is('arch')) return [`${without}:`, '  pacman -S vulkan-swrast vulkan-icd-loader']
  return [`${without}, Mesa 23 or later, and the Vulkan loader, from your distribution's packages.`]
}
