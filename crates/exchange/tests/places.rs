//! Rows that a network chooses by numbers of its own making (`reference/places.py`): out of range is an error, and no
//! neighbour's number.

use burn::tensor::{DType, Device, Int, Tensor};
use losscape_exchange::Program;

#[test]
fn places_out_of_range_are_errors() {
    let device = Device::flex();
    for (name, sample, expected) in [
        ("shifted", [3, 2], Ok(4)),
        ("shifted", [3, 4], Err("place 5 is asked for, of 5")),
        ("pairs", [2, 3], Ok(1)),
        ("pairs", [2, -1], Ok(1)),
        ("pairs", [1, 4], Err("place 4 is asked for, of 4")),
        ("pairs", [-4, 0], Err("place -1 is asked for, of 3")),
        ("gathered", [0, 3], Ok(2)),
        ("gathered", [0, 4], Err("place 4 is asked for, of 4")),
    ] {
        let path = format!("{}/tests/archives/places/{name}.pt2", env!("CARGO_MANIFEST_DIR"));
        let program = Program::read(path.as_ref()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(program.can_fail(), "{name}");
        program.check(&[vec![2]]).unwrap_or_else(|error| panic!("{name}: {error}"));
        let network = program.init(&device, DType::F64);
        let tokens = Tensor::<2, Int>::from_data([sample, [1, 0]], &device).into_dispatch();
        let found = network.forward_rows(tokens).map(|rows| Tensor::<2>::from_dispatch(rows).dims());
        match (found, expected) {
            (Ok(dims), Ok(outputs)) => assert_eq!(dims, [2, outputs], "{name} {sample:?}"),
            (Err(error), Err(words)) => {
                assert!(error.to_string().contains(words), "{name} {sample:?}: {error}");
            }
            (found, _) => panic!("{name} {sample:?}: {found:?} where {expected:?} is right"),
        }
    }
}

/// The places are counted row by row, from the end where they are negative.
#[test]
fn places_are_those_of_pytorch() {
    let device = Device::flex();
    let path = format!("{}/tests/archives/places/pairs.pt2", env!("CARGO_MANIFEST_DIR"));
    let network = Program::read(path.as_ref()).expect("it is read").init(&device, DType::F64);
    let tokens = Tensor::<2, Int>::from_data([[2, 3], [0, 1], [-1, -4], [1, -2]], &device).into_dispatch();
    let rows = Tensor::<2>::from_dispatch(network.forward_rows(tokens).expect("they are in range"));
    assert_eq!(rows.into_data().iter::<f64>().collect::<Vec<_>>(), [11.0, 1.0, 8.0, 6.0]);
}
