//! The maxima with which a VM is started: they decide what can be hot-plugged later without a restart.

use grid::vm::Maxima;
use grid::{Mib, Resources, Size, Vcpus};

/// A VM can at least be given this many vCPUs live.
const FEWEST_VCPUS: u32 = 4;
/// And at least this much more memory than it starts with.
const MORE_MEMORY_MIB: u64 = 512;

/// Room to grow: twice the size, at least four vCPUs and 512 MiB more; not beyond what its node could ever give, and
/// never below the size. Maxima cost a guest a little memory (page tables, one `struct page` for each page that could
/// come), so they are no larger.
pub(crate) fn choose(size: Size, usable: Option<Resources>) -> Maxima {
    let usable = usable.unwrap_or(Resources::all(u64::MAX));
    let vcpus = size.vcpus.0.saturating_mul(2).max(FEWEST_VCPUS);
    let vcpus = vcpus.min(u32::try_from(usable.vcpus()).unwrap_or(u32::MAX)).max(size.vcpus.0);
    let twice = size.memory.0.saturating_mul(2).max(size.memory.0.saturating_add(MORE_MEMORY_MIB));
    let step = Size::MEMORY_STEP.0;
    let memory = (twice.min(usable.memory_mib()) / step * step).max(size.memory.0);
    Maxima { vcpus: Vcpus(vcpus), memory: Mib(memory) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use grid::Gib;

    fn size(vcpus: u32, memory: u64) -> Size {
        Size::new(Vcpus(vcpus), Mib(memory), Gib(1))
    }

    #[test]
    fn a_small_vm_can_grow_to_four_vcpus_and_by_half_a_gibibyte() {
        let maxima = choose(size(1, 128), None);
        assert_eq!(maxima, Maxima { vcpus: Vcpus(4), memory: Mib(640) });
    }

    #[test]
    fn maxima_stay_within_the_node_and_above_the_size() {
        let usable = Resources::new(3, 401, 0);
        assert_eq!(choose(size(2, 256), Some(usable)), Maxima { vcpus: Vcpus(3), memory: Mib(400) });
        assert_eq!(choose(size(8, 1024), Some(usable)), Maxima { vcpus: Vcpus(8), memory: Mib(1024) });
    }
}
