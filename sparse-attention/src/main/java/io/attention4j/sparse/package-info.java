/** Sparse and approximate attention operators. */
package io.attention4j.sparse;
