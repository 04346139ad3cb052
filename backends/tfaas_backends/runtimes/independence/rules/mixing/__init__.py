"""Rules of ops that mix elements along some axes: sums, products and the like."""
