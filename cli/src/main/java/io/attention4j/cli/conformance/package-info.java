/**
 * Runs cases of the ONNX backend test suite, as folders of plain files, through the public kernel
 * API: one class per family of operators, each turning a case's inputs into kernel calls.
 */
package io.attention4j.cli.conformance;
