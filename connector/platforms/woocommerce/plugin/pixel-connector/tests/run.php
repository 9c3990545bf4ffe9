<?php
/**
 * Runs the plugin's unit tests without WordPress: php tests/run.php. Exit status 1 when one fails.
 *
 * @package PixelConnector
 */

// phpcs:disable -- a test program, not part of the plugin that is installed.

error_reporting( E_ALL );
set_error_handler(
	static function ( $level, $message, $file, $line ) {
		throw new ErrorException( $message, 0, $level, $file, $line );
	}
);

require __DIR__ . '/stubs.php';
require __DIR__ . '/../src/autoload.php';

function same( $expected, $actual, string $what = '' ): void {
	if ( $expected !== $actual ) {
		throw new RuntimeException( trim( $what . ' expected ' . json_encode( $expected ) . ', got ' . json_encode( $actual ) ) );
	}
}

function check( bool $holds, string $what ): void {
	if ( ! $holds ) {
		throw new RuntimeException( $what );
	}
}

$tests = array();
foreach ( glob( __DIR__ . '/test-*.php' ) as $file ) {
	foreach ( require $file as $name => $test ) {
		$tests[ basename( $file, '.php' ) . ': ' . $name ] = $test;
	}
}
$failed = 0;
foreach ( $tests as $name => $test ) {
	Fake::reset();
	try {
		$test();
	} catch ( Throwable $failure ) {
		++$failed;
		printf( "FAILED %s\n    %s (%s:%d)\n", $name, $failure->getMessage(), basename( $failure->getFile() ), $failure->getLine() );
	}
}
printf( "%d tests, %d failed, PHP %s\n", count( $tests ), $failed, PHP_VERSION );
exit( $tests && 0 === $failed ? 0 : 1 );
