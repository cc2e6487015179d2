/** Choosing kernels and running them on threads. */
package io.attention4j.engine.runtime;
