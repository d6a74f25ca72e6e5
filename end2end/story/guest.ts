// What a guest sees of itself, and what its hypervisor holds of it: two witnesses that Hostgrid does not speak for.

import { found, type Lab, type Size } from './lab';

/** One heartbeat: the tiny guest prints it every second. */
export interface Heartbeat {
  name: string;
  boot_id: string;
  vcpus: number;
  memory_mib: number;
  disk_gib: number;
  address: string;
  mac: string;
  /** A random word, written to its disk once, at its first boot. */
  data: string;
  seq: number;
}

/** The guest's last heartbeat, as it reached its hypervisor: the one that has it, unless one is named. */
export function heartbeat(lab: Lab, vm: string, node = lab.home(vm)): Heartbeat {
  const lines = consoleTail(lab, node, vm).match(/^hostgrid-guest name=.*\bseq=\d+/gm) ?? [];
  const last = found(lines.at(-1), `a heartbeat of ${vm} on ${node}`);
  const told = Object.fromEntries([...last.matchAll(/(\w+)=(\S*)/g)].map((match) => [match[1], match[2]]));
  const number = (key: string) => Number(found(told[key], `${key} in the heartbeat`));
  const text = (key: string) => found(told[key], `${key} in the heartbeat`);
  return {
    name: text('name'),
    boot_id: text('boot_id'),
    vcpus: number('vcpus'),
    memory_mib: number('memory_mib'),
    disk_gib: number('disk_gib'),
    address: text('address'),
    mac: text('mac'),
    data: text('data'),
    seq: number('seq'),
  };
}

/** The same for a guest that may not have spoken yet. */
export function heard(lab: Lab, vm: string, node?: string): Heartbeat | undefined {
  try {
    return heartbeat(lab, vm, node);
  } catch {
    return undefined;
  }
}

/** A machine's console is a file beside its node's libvirtd; a container's heartbeats are read from its own disk. */
function consoleTail(lab: Lab, node: string, vm: string): string {
  const xml = lab.virsh(node, 'dumpxml', vm);
  const file =
    /<(?:serial|console)\b[^>]*type='file'[^>]*>\s*<source path='([^']+)'/.exec(xml)?.[1] ??
    /<log file='([^']+)'/.exec(xml)?.[1];
  if (file) return lab.inside(node, 'tail', '-c', '8192', file).replaceAll('\r', '');
  const root = found(/<source dir='([^']+)'\/>\s*<target dir='\/'/.exec(xml)?.[1], `the root of ${vm} on ${node}`);
  return lab.inside(node, 'tail', '-n', '5', `${root}/data/heartbeat`);
}

/** The size that a hypervisor holds: of the running domain, or of the configuration that it would start with. */
export function configured(lab: Lab, node: string, vm: string, which: 'live' | 'inactive'): Omit<Size, 'disk_gib'> {
  return sizeOf(lab.virsh(node, 'dumpxml', vm, ...(which === 'inactive' ? ['--inactive'] : [])), which);
}

/** Reads vCPUs and memory from a domain's XML. */
export function sizeOf(xml: string, which: 'live' | 'inactive'): Omit<Size, 'disk_gib'> {
  const vcpu = found(/<vcpu\b([^>]*)>(\d+)<\/vcpu>/.exec(xml), 'a <vcpu>');
  const current = /current='(\d+)'/.exec(vcpu[1] ?? '')?.[1];
  const quota = /<quota>(\d+)<\/quota>/.exec(xml)?.[1];
  const period = /<period>(\d+)<\/period>/.exec(xml)?.[1] ?? '100000';
  const container = /<domain type='lxc'/.test(xml);
  const vcpus = container && quota ? Math.ceil(Number(quota) / Number(period)) : Number(current ?? vcpu[2]);

  // What was plugged is counted by what the guest has taken of it; what is configured, by what it is asked to take.
  const devices = [...xml.matchAll(/<memory model='virtio-mem'.*?<\/memory>/gs)].map((match) => match[0]);
  const plugged = sum(devices, which === 'live' ? 'current' : 'requested');
  const total = kib(/<memory unit='(\w+)'>(\d+)<\/memory>/.exec(xml), 'a <memory>');
  const currentMemory = kib(/<currentMemory unit='(\w+)'>(\d+)<\/currentMemory>/.exec(xml), 'a <currentMemory>');
  const memory = devices.length > 0 ? total - sum(devices, 'size') + plugged : currentMemory;
  return { vcpus, memory_mib: Math.round(memory / 1024) };
}

function sum(devices: string[], element: string): number {
  const pattern = new RegExp(`<${element} unit='(\\w+)'>(\\d+)</${element}>`);
  return devices.reduce((total, device) => total + kib(pattern.exec(device), `<${element}>`), 0);
}

function kib(match: RegExpExecArray | null, what: string): number {
  const [, unit, amount] = found(match, what);
  const factor = found({ KiB: 1, MiB: 1024, GiB: 1024 * 1024 }[unit as string], `a factor for ${unit}`);
  return Number(amount) * factor;
}
