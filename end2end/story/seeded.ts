// What lab/seed.toml promises of a grid that nobody has touched: how full its nodes are decides which plan a growth gets.

import type { Plan } from './panel';

/** A VM, by how much it shall grow, and the plan for it. */
export const growths: { name: string; vcpus: number; memory_mib: number; plan: Plan }[] = [
  { name: 'mail', vcpus: 1, memory_mib: 256, plan: 'in-place-live' },
  { name: 'shop', vcpus: 1, memory_mib: 512, plan: 'move-live' },
  { name: 'catalogue', vcpus: 1, memory_mib: 512, plan: 'move-cold' },
  { name: 'archive', vcpus: 0, memory_mib: 1024, plan: 'refused' },
];
