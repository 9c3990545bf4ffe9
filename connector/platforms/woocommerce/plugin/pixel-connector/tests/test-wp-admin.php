<?php
// What WooCommerce and wp-admin are told of the plugin: what it can live with, and its rows in the system status.

use PixelConnector\AdminNotices;

final class FakeFeatures {
	public static $declared = array();
	public static function declare_compatibility( $feature, $file, $fits ): void { self::$declared[ $feature ] = array( basename( $file ), $fits ); }
}
class_alias( FakeFeatures::class, 'Automattic\WooCommerce\Utilities\FeaturesUtil' );

/** The system status' rows by label. */
$rows = static function ( PixelConnector\Connection $connection ): array {
	ob_start();
	( new AdminNotices( $connection ) )->system_status();
	$page = ob_get_clean();
	preg_match_all( '#data-export-label="([^"]*)">[^<]*</td><td class="help">&nbsp;</td><td>([^<]*)</td>#', $page, $found );
	same( substr_count( $page, '<tr><td' ), count( $found[0] ), 'every row is one of label and text:' );
	return array_combine( $found[1], $found[2] );
};

return array(
	'order tables and the block checkout are declared before WooCommerce starts' => static function () {
		set_error_handler( static function ( $level, $message ) { return false !== strpos( $message, 'already defined' ); } ); // The stubs have its constants.
		require dirname( __DIR__ ) . '/pixel-connector.php';
		restore_error_handler();
		same( array(), FakeFeatures::$declared );
		do_action( 'before_woocommerce_init' );
		same( array( 'custom_order_tables' => array( 'pixel-connector.php', true ), 'cart_checkout_blocks' => array( 'pixel-connector.php', true ) ), FakeFeatures::$declared );
	},
	'the system status tells where the shop is connected, or that it is not' => static function () use ( $rows ) {
		same( 'no', $rows( new PixelConnector\Connection() )['Connected'] );
		$told = $rows( Fake::connect() );
		same( 'https://c.example', $told['Connected'] );
		same( 'none', $told['Scripts on the storefront'] );
		check( 1 === preg_match( '#^\d+ / \d+ / \d+$#', $told['Beacons taken / dropped / failed'] ), 'beacons are counted' );
	},
	'what stands there is text, whatever an address holds' => static function () use ( $rows ) {
		same( 'https://c.example/&lt;b&gt;', $rows( Fake::connect( array(), array( 'connector_url' => 'https://c.example/<b>' ) ) )['Connected'] );
	},
);
