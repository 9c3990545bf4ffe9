<?php
/**
 * What wp-admin shows of us outside our own page.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * Notice while unconnected, link in the list of plugins, rows in WooCommerce's system status.
 */
final class AdminNotices {

	/**
	 * The connection.
	 *
	 * @var Connection
	 */
	private $connection;

	/**
	 * Takes the connection.
	 *
	 * @param Connection $connection The connection.
	 */
	public function __construct( Connection $connection ) {
		$this->connection = $connection;
	}

	/**
	 * Adds the hooks.
	 */
	public function register(): void {
		Guard::on( 'admin_notices', array( $this, 'unconnected' ) );
		Guard::on( 'plugin_action_links_' . plugin_basename( PIXEL_CONNECTOR_FILE ), array( $this, 'links' ) );
		Guard::on( 'woocommerce_system_status_report', array( $this, 'system_status' ) );
	}

	/**
	 * Says, where the owner would look for it, that nothing is sent yet.
	 */
	public function unconnected(): void {
		$screen = function_exists( 'get_current_screen' ) ? get_current_screen() : null;
		$here   = null !== $screen && in_array( $screen->id, array( 'plugins', 'dashboard', 'woocommerce_page_wc-status' ), true );
		if ( ! $here || $this->connection->exists() || ! current_user_can( 'manage_woocommerce' ) ) {
			return;
		}
		echo '<div class="notice notice-warning"><p>' . esc_html__( 'Pixel Connector is active but not connected: no events reach TikTok.', 'pixel-connector' ) . ' ';
		echo '<a href="' . esc_url( AdminPage::url() ) . '">' . esc_html__( 'See what to do', 'pixel-connector' ) . '</a></p></div>';
	}

	/**
	 * The settings link in the list of plugins.
	 *
	 * @param mixed $links Links.
	 * @return mixed
	 */
	public function links( $links ) {
		$own = '<a href="' . esc_url( AdminPage::url() ) . '">' . esc_html__( 'Settings', 'pixel-connector' ) . '</a>';
		return is_array( $links ) ? array_merge( array( 'settings' => $own ), $links ) : $links;
	}

	/**
	 * A table in WooCommerce > Status.
	 */
	public function system_status(): void {
		$status = ( new Status( $this->connection ) )->describe();
		$scan   = static function ( array $entries, string $key ) {
			return $entries ? implode( ', ', '' === $key ? $entries : array_column( $entries, $key ) ) : __( 'none', 'pixel-connector' );
		};
		$yes    = static function ( bool $value ) {
			return $value ? __( 'yes', 'pixel-connector' ) : __( 'no', 'pixel-connector' );
		};
		$rows   = array(
			__( 'Connected', 'pixel-connector' )      => $status['connected'] ? $this->connection->connector_url() : $yes( false ),
			__( 'Scripts on the storefront', 'pixel-connector' ) => $scan( $status['script_tags'], 'src' ),
			__( 'Active webhooks of our topics', 'pixel-connector' ) => $scan( $this->active_topics(), '' ),
			__( 'Other sources of a TikTok pixel', 'pixel-connector' ) => $scan( $status['conflicts'], 'name' ),
			__( 'Page cache', 'pixel-connector' )     => $scan( $status['page_cache'], '' ),
			__( 'WP Consent API', 'pixel-connector' ) => $yes( $status['consent_api'] ),
			__( 'Country of visitors known', 'pixel-connector' ) => $yes( $status['geolocation'] ),
			__( 'Beacons taken / dropped / failed', 'pixel-connector' ) => sprintf( '%d / %d / %d', $status['beacons']['taken'], $status['beacons']['dropped'], $status['beacons']['failed'] ),
		);
		echo '<table class="wc_status_table widefat" cellspacing="0"><thead><tr><th colspan="3" data-export-label="Pixel Connector"><h2>';
		echo esc_html__( 'Pixel Connector', 'pixel-connector' ) . '</h2></th></tr></thead><tbody>';
		foreach ( $rows as $label => $value ) {
			echo '<tr><td data-export-label="' . esc_attr( $label ) . '">' . esc_html( $label ) . ':</td><td class="help">&nbsp;</td><td>' . esc_html( $value ) . '</td></tr>';
		}
		echo '</tbody></table>';
	}

	/**
	 * Topics with an active webhook.
	 */
	private function active_topics(): array {
		return array_values( array_filter( array_keys( Topics::HOOKS ), array( Delivery::class, 'webhooks' ) ) );
	}
}
