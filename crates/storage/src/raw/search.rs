//! Looking for a record in the pages of M themselves.
//!
//! libmdbx checks every page that a look-up meets from end to end (`MDBX_VALIDATION`), since what a damaged one says could lead it
//! anywhere: that is half of the time of a look-up. Here each step is checked where it is made, and nothing else is looked at: all
//! bytes come from slices of one page, and a page is taken only where it is one of this state. The format of pages is that of
//! libmdbx 0.14 (`layout-dxb.h`), whose version is pinned.
#![expect(unsafe_code, reason = "pages in libmdbx's map; every block states why it is sound")]

#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::marker::PhantomData;

use libmdbx::Error;

use super::Result;
use crate::layout::{MANIFEST_PAGE, PAGE_HEADER};

pub(super) type Bytes = [u8; MANIFEST_PAGE];

/// `P_BRANCH` and `P_LEAF`: the only flags of the pages of a tree without duplicates.
const BRANCH: u16 = 1;
const LEAF: u16 = 2;
/// `N_BIG`, the flag of a value in pages of its own.
const APART: u8 = 1;
/// `CURSOR_STACK_SIZE`: no tree is higher.
const HIGHEST: u16 = 32;
/// `NODESIZE`: the header of a node.
const NODE_HEADER: usize = 8;
/// Size of `tree_t`, the record of a table.
const TREE: usize = 48;

/// What is under a key.
pub(crate) enum Found<'t> {
    Nothing,
    Here(&'t [u8]),
    /// In pages of its own: libmdbx finds them.
    Apart,
}

/// The pages of one state in libmdbx's map. Whatever is `None` below is damaged.
pub(super) struct Pages<'t, F> {
    first: *const Bytes,
    is_page: F,
    state: PhantomData<&'t ()>,
}

impl<'t, F: Fn(*const Bytes) -> bool> Pages<'t, F> {
    /// All pages of a state, by the record of a table in one of them.
    ///
    /// # Safety
    /// `is_page` tells whether a page of the state begins at an address, whose number is the one that stands in it. What it says
    /// holds for 't, in which nobody changes the pages of the state.
    pub(super) unsafe fn around(tree: &'t [u8], is_page: F) -> Result<Self> {
        let page = tree.as_ptr().wrapping_sub(tree.as_ptr().addr() % MANIFEST_PAGE).cast::<Bytes>();
        if !is_page(page) {
            return Err(Error::Corrupted);
        }
        // SAFETY: it is a page.
        let number = Page(unsafe { &*page }).number();
        Ok(Self { first: page.wrapping_sub(number as usize), is_page, state: PhantomData })
    }

    /// What is under `key` in the tree that the record of its table tells of.
    pub(super) fn find(&self, tree: &[u8], key: &[u8]) -> Result<Found<'t>> {
        self.search(tree, key).ok_or(Error::Corrupted)
    }

    fn search(&self, tree: &[u8], key: &[u8]) -> Option<Found<'t>> {
        let tree: &[u8; TREE] = tree.try_into().ok()?;
        let [_, _, h0, h1, _, _, _, _, r0, r1, r2, r3, ..] = *tree;
        let (height, mut number) = (u16::from_le_bytes([h0, h1]), u32::from_le_bytes([r0, r1, r2, r3]));
        if height == 0 {
            return Some(Found::Nothing);
        }
        if height > HIGHEST {
            return None;
        }
        for _ in 1..height {
            number = self.page(number, BRANCH)?.child(key)?;
        }
        self.page(number, LEAF)?.record(key)
    }

    fn page(&self, number: u32, kind: u16) -> Option<Page<'t>> {
        let page = self.first.wrapping_add(number as usize);
        if !(self.is_page)(page) {
            return None;
        }
        // SAFETY: it is a page of the state.
        let page = Page(unsafe { &*page });
        (page.kind() == kind).then_some(page)
    }
}

/// A page of a tree. It begins with its transaction, 8 bytes; two unused ones; kind, twice its keys, and free space, 2 bytes each; its
/// number, 4 bytes.
#[derive(Clone, Copy)]
struct Page<'t>(&'t Bytes);

/// A key in a page with what is under it.
struct Node<'t> {
    /// Length of the value, or the number of a page.
    word: u32,
    flags: u8,
    key: &'t [u8],
    /// From the value on.
    rest: &'t [u8],
}

impl<'t> Page<'t> {
    fn kind(self) -> u16 {
        let [_, _, _, _, _, _, _, _, _, _, b0, b1, ..] = *self.0;
        u16::from_le_bytes([b0, b1])
    }

    fn keys(self) -> usize {
        let [_, _, _, _, _, _, _, _, _, _, _, _, b0, b1, ..] = *self.0;
        usize::from(u16::from_le_bytes([b0, b1])) / 2
    }

    fn number(self) -> u32 {
        let [_, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, b0, b1, b2, b3, ..] = *self.0;
        u32::from_le_bytes([b0, b1, b2, b3])
    }

    /// The page below this branch where `key` is, if anywhere.
    fn child(self, key: &[u8]) -> Option<u32> {
        // The first key stands for all that are before the second.
        let place = self.place(1, key)?.unwrap_or_else(|after| after.saturating_sub(1));
        Some(self.node(place)?.word)
    }

    fn record(self, key: &[u8]) -> Option<Found<'t>> {
        let Ok(place) = self.place(0, key)? else { return Some(Found::Nothing) };
        match self.node(place)? {
            Node { flags: 0, word, rest, .. } => rest.get(..word as usize).map(Found::Here),
            Node { flags: APART, .. } => Some(Found::Apart),
            _ => None,
        }
    }

    /// Where `key` is among the keys from `first` on, or, as an error, the place of the first one after it.
    fn place(self, first: usize, key: &[u8]) -> Option<std::result::Result<usize, usize>> {
        let (mut low, mut high) = (first, self.keys());
        while low < high {
            let middle = low.midpoint(high);
            match self.node(middle)?.key.cmp(key) {
                Ordering::Equal => return Some(Ok(middle)),
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
            }
        }
        Some(Err(low))
    }

    fn node(self, place: usize) -> Option<Node<'t>> {
        let [b0, b1] = self.0.get(PAGE_HEADER + 2 * place..)?.first_chunk()?;
        let start = PAGE_HEADER + usize::from(u16::from_le_bytes([*b0, *b1]));
        let (header, body) = self.0.get(start..)?.split_first_chunk::<NODE_HEADER>()?;
        let [w0, w1, w2, w3, flags, _, k0, k1] = *header;
        let (key, rest) = body.split_at_checked(u16::from_le_bytes([k0, k1]).into())?;
        Some(Node { word: u32::from_le_bytes([w0, w1, w2, w3]), flags, key, rest })
    }
}
