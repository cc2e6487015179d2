/** The attention4j command. */
package io.attention4j.cli;
