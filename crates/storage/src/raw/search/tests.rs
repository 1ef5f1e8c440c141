//! The same answers as a plain map, and as libmdbx; and none that damage could lead astray.

use std::collections::BTreeMap;

use super::*;
use crate::key::Key;
use crate::raw::reader::TABLES;
use crate::record::{AliasRecord, Record as _};
use crate::store::Store;
use crate::table::{Aliases, Table as _};
use crate::tests::fixture::{Random, new_store};

type Model = BTreeMap<Vec<u8>, AliasRecord>;

/// A key of any length that libmdbx takes, often like others in its beginning.
fn key(random: &mut Random) -> Vec<u8> {
    let length = if random.below(8) == 0 { 1 + random.below(2_000) } else { 1 + random.below(40) };
    let letters = if random.below(2) == 0 { 2 } else { 256 };
    (0..length).map(|_| u8::try_from(random.below(letters)).unwrap()).collect()
}

/// One that fits beside its key, or one that has pages of its own.
fn value(random: &mut Random) -> AliasRecord {
    let length = if random.below(16) == 0 { 10_000 } else { random.below(200) };
    AliasRecord { repo: "r".repeat(usize::try_from(length).unwrap()) }
}

fn change(store: &Store, model: &mut Model, random: &mut Random, times: u64) {
    let changed = store.write(|t| {
        for _ in 0..times {
            let known = model.keys().nth(usize::try_from(random.below(model.len() as u64 + 1)).unwrap());
            if let Some(gone) = known.cloned().filter(|_| random.below(3) == 0) {
                t.delete::<Aliases>(&Key::stored(&gone))?;
                model.remove(&gone);
            } else {
                let (key, value) = (key(random), value(random));
                t.put::<Aliases>(&Key::stored(&key), &value)?;
                model.insert(key, value);
            }
        }
        Ok(())
    });
    changed.unwrap();
}

fn compare(store: &Store, model: &Model, random: &mut Random) {
    let strangers: Vec<_> = (0..200).map(|_| key(random)).collect();
    let near = model.keys().flat_map(|key| [key.clone(), [key, &[0][..]].concat(), key[1..].to_vec()]);
    let same = store.read(|t| {
        let table = t.tables[Aliases::NUMBER].unwrap();
        for key in near.chain(strangers).filter(|key| !key.is_empty() && key.len() <= 2_000) {
            assert_eq!(t.get::<Aliases>(&Key::stored(&key))?.as_ref(), model.get(&key));
            assert_eq!(t.reader.get(table, &key).unwrap().is_some(), model.contains_key(&key));
        }
        Ok(())
    });
    same.unwrap();
}

#[test]
fn every_key_is_found_and_no_other() {
    let (_folder, store) = new_store();
    let (mut model, mut random) = (Model::new(), Random(7));
    compare(&store, &model, &mut random);
    for times in [1, 1, 5, 20, 100, 400, 400] {
        change(&store, &mut model, &mut random, times);
        compare(&store, &model, &mut random);
    }
    store
        .write(|t| model.keys().try_for_each(|key| t.delete::<Aliases>(&Key::stored(key)).map(drop)))
        .unwrap();
    compare(&store, &Model::new(), &mut random);
}

/// What libmdbx tells of its map.
fn is_page(pages: &[Bytes], address: *const Bytes) -> bool {
    let place = address.addr().wrapping_sub(pages.as_ptr().addr()) / MANIFEST_PAGE;
    pages.get(place).is_some_and(|page| Page(page).number() as usize == place)
}

/// Gives one byte another value, which is any.
fn damage(bytes: &mut [u8], random: &mut Random) {
    let at = usize::try_from(random.below(bytes.len() as u64)).unwrap();
    bytes[at] = u8::try_from(random.below(256)).unwrap();
}

#[test]
fn a_damaged_page_is_an_error_or_leads_nowhere_else() {
    let (folder, store) = new_store();
    let (mut model, mut random) = (Model::new(), Random(9));
    change(&store, &mut model, &mut random, 1_500);
    let data = std::fs::read(folder.path().join("store/model_cache_manifests/mdbx.dat")).unwrap();
    let whole = data.as_chunks::<MANIFEST_PAGE>().0;
    let found = store.read(|t| {
        let tree = t.reader.get(TABLES, Aliases::NAME.as_bytes()).unwrap().unwrap();
        Ok(tree.bytes().unwrap().to_vec())
    });
    let tree = found.unwrap();
    let (mut pages, keys) = (whole.to_vec(), model.keys().collect::<Vec<_>>());
    let (mut right, mut refused) = (0, 0);
    for round in 0..20_000_u64 {
        let place = usize::try_from(3 + random.below(whole.len() as u64 - 3)).unwrap();
        // What pages say of themselves stands in their beginning.
        let length = if round % 2 == 0 { 200 } else { MANIFEST_PAGE };
        damage(&mut pages[place][..length], &mut random);
        let mut tree = tree.clone();
        if round % 16 == 0 {
            damage(&mut tree, &mut random);
        }
        let all = Pages { first: pages.as_ptr(), is_page: |page| is_page(&pages, page), state: PhantomData };
        let key = keys[usize::try_from(random.below(keys.len() as u64)).unwrap()];
        match all.find(&tree, key) {
            Ok(Found::Here(bytes)) => {
                right += u32::from(AliasRecord::decode(bytes).ok().as_ref() == model.get(key));
            }
            Ok(Found::Nothing | Found::Apart) => {}
            Err(Error::Corrupted) => refused += 1,
            Err(error) => panic!("{error}"),
        }
        pages[place] = whole[place];
    }
    assert!(right > 10_000 && refused > 20, "{right} right, {refused} refused");
}
