//! One process, several execs: each image is told by its arguments to execute the next.

use execlab_model::{
    Bytes,
    truth::{Site, id_place},
};

use super::Way;

/// A way whose child executes the first site's file, which executes the next by this act of the
/// payload's, and so on. Each site has the arguments of an exec that is alone.
pub(super) fn chain<const N: usize>(act: &str, mut sites: [Site; N]) -> Way {
    for at in (0..N - 1).rev() {
        let next = &sites[at + 1];
        let more = [act.into(), next.given.clone()];
        let behind = next.argv.iter().map(behind);
        let more: Vec<Bytes> = more.into_iter().chain(behind).collect();
        sites[at].argv.extend(more);
    }
    let mut sites = sites.into_iter();
    let first = Way::call(sites.next().expect("a chain has a beginning"));
    sites.fold(first, Way::then)
}

/// An argument as the image before passes it on: what is the own id there, is the next one here.
fn behind(argument: &Bytes) -> Bytes {
    id_place(argument.as_slice()).map_or_else(
        || argument.clone(),
        |place| format!("{{id+{}}}", place + 1).into_bytes().into(),
    )
}

#[cfg(test)]
mod tests {
    use execlab_model::truth::{ID_ARGUMENT, LIFETIME_ARGUMENT};

    use super::*;

    fn site(name: &str) -> Site {
        Site {
            given: name.into(),
            argv: vec![name.into(), ID_ARGUMENT.into(), LIFETIME_ARGUMENT.into()],
            ..Site::default()
        }
    }

    #[test]
    fn each_image_is_told_all_that_come_behind_it() {
        let way = chain("exec", ["/a", "/b", "/c"].map(site));
        let argv: Vec<Vec<_>> = way
            .sites
            .iter()
            .map(|site| site.argv.iter().map(ToString::to_string).collect())
            .collect();
        let last = ["/c", "{id}", "{lifetime}"];
        let middle = [
            "/b",
            "{id}",
            "{lifetime}",
            "exec",
            "/c",
            "/c",
            "{id+1}",
            "{lifetime}",
        ];
        let first = [
            "/a",
            "{id}",
            "{lifetime}",
            "exec",
            "/b",
            "/b",
            "{id+1}",
            "{lifetime}",
            "exec",
            "/c",
            "/c",
            "{id+2}",
            "{lifetime}",
        ];
        assert_eq!(argv, [first.to_vec(), middle.to_vec(), last.to_vec()]);
    }
}
