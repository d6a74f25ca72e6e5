//! Which server carries operations out.

use super::empty;
use crate::store::rows::LeaseRow;

fn row(holder: &str, renewals: u64) -> LeaseRow {
    LeaseRow { holder: holder.into(), renewals }
}

#[tokio::test]
async fn a_lease_has_one_holder_until_it_is_given_back_or_known_to_be_over() {
    let store = empty().await;
    assert_eq!(store.lease_take("first", None).await.unwrap(), None);
    assert_eq!(store.lease_take("second", None).await.unwrap(), Some(row("first", 0)));
    assert_eq!(store.lease_take("first", None).await.unwrap(), None, "renewed");
    let seen = store.lease_take("second", None).await.unwrap().unwrap();
    assert_eq!(seen, row("first", 1));

    // It was renewed after it was called over.
    store.lease_take("first", None).await.unwrap();
    assert_eq!(store.lease_take("second", Some(&seen)).await.unwrap(), Some(row("first", 2)));
    assert_eq!(store.lease_take("second", Some(&row("first", 2))).await.unwrap(), None);
    assert_eq!(store.lease_take("first", None).await.unwrap(), Some(row("second", 3)), "it can't be renewed any more");

    store.lease_give_back("first").await.unwrap();
    assert_eq!(store.lease_take("first", None).await.unwrap(), Some(row("second", 3)), "another's is not given back");
    store.lease_give_back("second").await.unwrap();
    assert_eq!(store.lease_take("first", None).await.unwrap(), None);
}
