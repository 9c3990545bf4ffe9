<?php
/**
 * Counts beacons: for the limit, and for the owner.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * One record, replaced each minute: beacons of this minute by (hashed) address, and totals. It never grows.
 */
final class BeaconLog {

	public const OPTION   = 'pixel_connector_beacons';
	private const ADDRESS = 60; // Visitors of one mobile network share few addresses.
	private const SHOP    = 600;
	private const BUSY    = 60;

	/**
	 * Counts one beacon; false when its address, or the whole shop, has had its share of this minute.
	 *
	 * @param string|null $ip  Address.
	 * @param int         $now Unix seconds.
	 */
	public static function admit( ?string $ip, int $now ): bool {
		$admitted = false;
		self::change(
			static function ( array $log ) use ( $ip, $now, &$admitted ) {
				$log  = self::in_minute( $log, intdiv( $now, 60 ) );
				$key  = self::key( $ip );
				$hits = (int) ( $log['hits'][ $key ] ?? 0 );
				$most = (int) apply_filters( 'pixel_connector_beacons_per_minute', self::ADDRESS );
				if ( $hits >= $most || array_sum( $log['hits'] ) >= self::SHOP ) {
					return null;
				}
				$admitted            = true;
				$log['hits'][ $key ] = $hits + 1;
				++$log['taken'];
				return $log;
			}
		);
		return $admitted;
	}

	/**
	 * Counts what became of a beacon's event.
	 *
	 * @param string $outcome One of dropped, failed.
	 */
	public static function count( string $outcome ): void {
		self::change(
			static function ( array $log ) use ( $outcome ) {
				++$log[ $outcome ];
				return $log;
			}
		);
	}

	/**
	 * Changes the record while no other request does.
	 *
	 * @param callable $change Takes the record, returns the new one, or null to leave it.
	 */
	private static function change( callable $change ): void {
		Lock::take( 'pixel_connector_log', 1 );
		try {
			wp_cache_delete( self::OPTION, 'options' );
			$log = $change( self::read() );
			if ( null !== $log ) {
				update_option( self::OPTION, $log, false );
			}
		} finally {
			Lock::release( 'pixel_connector_log' );
		}
	}

	/**
	 * The record, begun anew when a new minute has begun.
	 *
	 * @param array $log    Record.
	 * @param int   $minute Minutes since 1970.
	 */
	private static function in_minute( array $log, int $minute ): array {
		if ( $log['minute'] !== $minute ) {
			$log['busiest'] = max( (int) ( $log['busiest'] * 0.99 ), array_sum( $log['hits'] ) );
			$log['minute']  = $minute;
			$log['hits']    = array();
		}
		return $log;
	}

	/**
	 * Totals for the status.
	 */
	public static function totals(): array {
		$log = self::read();
		return array(
			'taken'                => $log['taken'],
			'dropped'              => $log['dropped'],
			'failed'               => $log['failed'],
			'busiest_minute'       => max( $log['busiest'], array_sum( $log['hits'] ) ),
			'suggest_views_direct' => $log['dropped'] > 50 || $log['busiest'] > self::BUSY,
		);
	}

	/**
	 * The record.
	 */
	private static function read(): array {
		$empty = array(
			'minute'  => 0,
			'hits'    => array(),
			'taken'   => 0,
			'dropped' => 0,
			'failed'  => 0,
			'busiest' => 0,
		);
		$log   = get_option( self::OPTION, array() );
		$log   = array_merge( $empty, is_array( $log ) ? array_intersect_key( $log, $empty ) : array() );

		$log['hits'] = is_array( $log['hits'] ) ? $log['hits'] : array();
		return $log;
	}

	/**
	 * An address that cannot be read back; IPv6 addresses count by their /64 network.
	 *
	 * @param string|null $ip Address.
	 */
	private static function key( ?string $ip ): string {
		return substr( hash_hmac( 'sha256', self::network( (string) $ip ), wp_salt( 'nonce' ) ), 0, 12 );
	}

	/**
	 * The network that counts as one. Where a host has switched the function off, each address counts alone.
	 *
	 * @param string $ip Address, or an empty string.
	 */
	private static function network( string $ip ): string {
		if ( '' === $ip || ! function_exists( 'inet_pton' ) ) {
			return $ip;
		}
		$packed = (string) inet_pton( $ip );
		return 16 === strlen( $packed ) ? substr( $packed, 0, 8 ) : $packed;
	}
}
