//! Tests: what branches know of their children is true, and stays near enough to be of use.

use super::branch::Block;
use super::lanes::ROWS;
use super::summary::Summary;
use super::*;
use crate::policy::Policy;
use crate::{Resource, Resources};
use proptest::prelude::*;
use uuid::Uuid;

/// What a block's rows are like; fails where a branch doesn't know it.
fn seen(rows: &Rows, block: &Block) -> Summary {
    let branch = match block {
        Block::Leaf(leaf) => {
            let rows = leaf.slots().filter_map(|slot| rows.get(slot));
            return rows.fold(Summary::EMPTY, |all, row| all.with(&Summary::of(row)));
        }
        Block::Branch(branch) => branch,
    };
    branch.children.iter().enumerate().fold(Summary::EMPTY, |all, (position, child)| {
        let (known, seen) = (branch.known(position), seen(rows, child));
        assert_eq!(known, known.with(&seen), "narrower than what is there");
        all.with(&seen)
    })
}

const STEPS: Resources = Resources::new(1, 1_024, 10_240).with(Resource::Network, 250);

fn row(number: u32, amounts: [u64; Vector::LEN], measured_bp: u16) -> Row {
    // One in a hundred is of another shape.
    let vcpus = if number.is_multiple_of(100) { 16 } else { 64 };
    let usable = Resources::new(vcpus, 262_144, 1 << 21);
    Row {
        id: NodeId(Uuid::from_u128(u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))),
        kind: HypervisorKind::Kvm,
        region: RegionNumber(u16::try_from(number % 4).unwrap()),
        domain: DomainNumber(number / 40),
        class: ClassNumber(u16::try_from(number % 3).unwrap()),
        readiness: Readiness::Ready,
        usable: Vector::of_node(usable).into(),
        free: Vector::of_node(Resources::from(amounts).zip(STEPS, |amount, step| amount * step)),
        measured_bp,
    }
}

/// In steps.
fn amounts() -> impl Strategy<Value = [u64; Vector::LEN]> {
    [0_u64..64, 0_u64..256, 0_u64..200, 0_u64..40]
}

/// The leaves of a block, and the rows in them.
fn leaves_and_rows(block: &Block) -> (usize, usize) {
    match block {
        Block::Leaf(leaf) => (1, leaf.rows),
        Block::Branch(branch) => branch
            .children
            .iter()
            .map(leaves_and_rows)
            .fold((0, 0), |(leaves, rows), more| (leaves + more.0, rows + more.1)),
    }
}

/// Blocks looked into for requests of many sizes.
fn effort(index: &Index) -> u32 {
    let asked = (0_u64..60).map(|step| Resources::new(step, step * 3_000, step * 20_480));
    let each = asked.flat_map(|asked| Policy::ALL.map(|policy| (policy, asked)));
    each.map(|(policy, asked)| {
        let query = Query::new(HypervisorKind::Kvm, policy, Vector::of_request(asked));
        let effort = index.choose_counting(&query).1;
        effort.branches + effort.leaves
    })
    .sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn what_is_known_of_a_block_is_true_and_near_after_thousands_of_changes(
        first in prop::collection::vec((amounts(), 0_u16..9), 2_000),
        changes in prop::collection::vec((0_u32..2_200, prop::option::weighted(0.95, (amounts(), 0_u16..9))), 8_000),
    ) {
        let mut index = Index::of((0..).zip(&first).map(|(number, (amounts, measured))| row(number, *amounts, *measured)));
        for (change, (number, to)) in changes.iter().enumerate() {
            match to {
                Some((amounts, measured)) => index.put(&row(*number, *amounts, *measured)),
                None => index.remove(row(*number, [0; Vector::LEN], 0).id),
            }
            if change % 500 == 0 {
                for root in index.ready.iter().filter_map(|tree| tree.root.as_ref()) {
                    let seen = seen(&index.rows, &root.block);
                    prop_assert_eq!(root.summary, root.summary.with(&seen), "narrower than what is there");
                }
            }
        }
        let root = index.tree(HypervisorKind::Kvm, true).root.as_ref().unwrap();
        let (leaves, rows) = leaves_and_rows(&root.block);
        prop_assert!(rows * 3 >= leaves * ROWS * 2, "{rows} rows in {leaves} leaves");
        let fresh = Index::of(index.rows(HypervisorKind::Kvm));
        prop_assert_eq!(fresh.len(), index.len());
        let (fresh, worn) = (effort(&fresh), effort(&index));
        prop_assert!(worn <= fresh * 2, "{} blocks where a new index looks into {}", worn, fresh);
    }
}
