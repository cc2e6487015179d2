/** Attention cases and contract tests that any kernel provider can run. */
package io.attention4j.testkit;
